"""Peak rate of multiply-accumulates on this machine, the reference for a network's speed.

Backend switch: only TensorFlow can compute on a CPU while it sees a GPU.
"""

import dataclasses
from collections.abc import Callable, Mapping

import keras
import numpy as np

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.benchmark.environment import device_kind
from keras_fasterseg.benchmark.timing import measure_callable
from keras_fasterseg.runtimes.backend_device import backend_device

CPU_SIZES = (512, 1024, 2048)
GPU_SIZES = (2048, 4096, 8192)
SEED = 0

Product = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class MatrixPeak:
    """The highest measured rate.

    Attributes:
        macs_per_second: float32 multiply-accumulates per second.
        library: Library that computed the matrix product.
        size: Rows and columns of the square matrices.
        device: "CPU" or "GPU".
    """

    macs_per_second: float
    library: str
    size: int
    device: str


def measure_matrix_peak(
    device: str = "CPU",
    threads: int | None = None,
    sizes: tuple[int, ...] | None = None,
    min_seconds: float = 0.15,
) -> MatrixPeak | None:
    """Measures the highest rate of square float32 matrix products, over all libraries and sizes.

    The fastest single product counts: a peak is the rate of an undisturbed machine. It is a
    measured rate, not a theoretical one, so a network with a better library may come close to it.
    On a GPU it follows the backend's setting of TensorFloat-32, as the network does.

    Args:
        device: "CPU" or "GPU".
        threads: Threads of a CPU's products. Default: the number that can run at once. A library
            with another, fixed number of threads is skipped.
        sizes: Rows and columns of the matrices. Default: sizes that saturate the device.
        min_seconds: Minimum duration of the products of one library and size, in seconds.

    Returns:
        The peak, or `None` if every library was skipped.
    """
    sizes = sizes or (CPU_SIZES if device == "CPU" else GPU_SIZES)
    rates = [
        MatrixPeak(_rate(make(size), size, min_seconds), library, size, device)
        for library, make in matrix_products(device, threads).items()
        for size in sizes
    ]
    return best_peak(*rates)


def prepare_threads(threads: int | None) -> bool:
    """Requests a number of threads from Keras's backend; returns False if it can no longer change.

    TensorFlow and JAX accept the number only before they have run anything, so a process that needs
    another number than the default calls this first.
    """
    try:
        backend_device().request_threads(threads)
    except ValueError:
        return False
    return True


def best_peak(*peaks: MatrixPeak | None) -> MatrixPeak | None:
    """Returns the peak with the highest rate; `None` if all are `None`."""
    measured = [peak for peak in peaks if peak is not None]
    return max(measured, key=lambda peak: peak.macs_per_second, default=None)


def matrix_products(device: str, threads: int | None) -> Mapping[str, Callable[[int], Product]]:
    """Returns, by library, functions that make a float32 product of square matrices of a size."""
    products: dict[str, Callable[[int], Product]] = {}
    backend = keras.backend.backend()

    def backend_product(size: int) -> Product:
        if backend == "tensorflow":
            return tensorflow_product(size, f"/{device}:0")
        return _compiled_product(size)

    is_own_device = device_kind(backend_device().device_name()) == device
    if device != "CPU":
        # Only another runtime can use a GPU that the backend does not see.
        return {backend: backend_product} if is_own_device else {}
    # numpy's library fixed its number of threads when it was loaded: the number of cores.
    cores = available_cores()
    if (threads or cores.threads) == cores.logical:
        products["numpy"] = _numpy_product
    if prepare_threads(threads) and (is_own_device or backend == "tensorflow"):
        products[backend] = backend_product
    return products


def _rate(product: Product, size: int, min_seconds: float) -> float:
    seconds = measure_callable(product, warmup=1, min_repetitions=3, min_seconds=min_seconds)
    return size**3 / min(seconds)


def _numpy_product(size: int) -> Product:
    left, right = _matrices(size)
    result = np.empty_like(left)
    return lambda: np.matmul(left, right, out=result)


def tensorflow_product(size: int, device: str) -> Product:
    """Returns a function that multiplies square matrices in TensorFlow on a device."""
    import tensorflow as tf

    with tf.device(device):
        left, right = (tf.constant(matrix) for matrix in _matrices(size))

    def product() -> None:
        with tf.device(device):
            tf.linalg.matmul(left, right)
        backend_device().synchronize()

    return product


def _compiled_product(size: int) -> Product:
    run = backend_device().compiled(keras.ops.matmul, [])
    left, right = map(keras.ops.convert_to_tensor, _matrices(size))
    return lambda: backend_device().synchronize(run(left, right))


def _matrices(size: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(SEED)
    return tuple(generator.random((2, size, size), np.float32))
