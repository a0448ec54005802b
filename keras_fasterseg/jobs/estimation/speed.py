"""The speed of this machine, from half a second of measuring."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.benchmark.matrix_peak import tensorflow_product
from keras_fasterseg.benchmark.timing import measure_callable
from keras_fasterseg.runtimes import tensorflow_device

_CPU_MATRICES, _CPU_SIDE, _GPU_SIDE = 32, 64, 4096
_CPU_COPY_BYTES, _GPU_COPY_BYTES = 2**25, 2**27


@dataclasses.dataclass(frozen=True)
class MachineSpeed:
    """Rates of the device that trains.

    Attributes:
        macs_per_second: Float32 multiply-accumulates of matrix products.
        copied_bytes_per_second: Bytes of a large array that is copied.
        device: "CPU", or the name of the GPU.
    """

    macs_per_second: float
    copied_bytes_per_second: float
    device: str = "CPU"


def measure_speed(threads: int | None = None) -> MachineSpeed:
    """The speed of the first GPU that TensorFlow sees, else that of the CPU.

    The fastest of many repetitions counts. On a CPU numpy alone runs: TensorFlow, once it has run,
    takes no other number of threads. Small matrices run on one core, so that no other program can
    hold a thread up that all wait for; every physical core within the quota is taken to be as fast.

    Args:
        threads: CPU threads that TensorFlow is asked for before a GPU starts it, as it takes no
            other number afterwards: those of the latency table. None leaves them to it.

    Raises:
        ValueError: TensorFlow runs already with another number of threads than `threads`.
    """
    device = tensorflow_device.device_name()
    if device != "CPU":
        tensorflow_device.request_threads(threads)
        product = _seconds(tensorflow_product(_GPU_SIDE, "/GPU:0"))
        return MachineSpeed(_GPU_SIDE**3 / product, _GPU_COPY_BYTES / _seconds(_gpu_copy()), device)
    macs = available_cores().physical_threads * _CPU_MATRICES * _CPU_SIDE**3
    return MachineSpeed(macs / _seconds(_cpu_products()), _CPU_COPY_BYTES / _seconds(_cpu_copy()))


def _seconds(function: Callable[[], object]) -> float:
    return min(measure_callable(function, warmup=1, min_repetitions=3, min_seconds=0.2))


def _cpu_products() -> Callable[[], object]:
    matrices = np.ones((_CPU_MATRICES, _CPU_SIDE, _CPU_SIDE), np.float32)
    products = np.empty_like(matrices)
    return lambda: np.matmul(matrices, matrices, out=products)


def _cpu_copy() -> Callable[[], object]:
    source = np.ones(_CPU_COPY_BYTES, np.uint8)
    target = np.empty_like(source)
    return lambda: np.copyto(target, source)


def _gpu_copy() -> Callable[[], object]:
    with tf.device("/GPU:0"):
        source = tf.ones(_GPU_COPY_BYTES // 4, tf.float32)

    def copy() -> None:
        tf.negative(source)
        tensorflow_device.synchronize()

    return copy
