"""How fast this machine can multiply and add at all: what a network's speed is a share of."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.benchmark.timing import measure_callable
from keras_fasterseg.runtimes import tensorflow_device

CPU_SIZES = (512, 1024, 2048)
GPU_SIZES = (2048, 4096, 8192)
SEED = 0

Product = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class MatrixPeak:
    """The largest rate that was measured.

    Attributes:
        macs_per_second: float32 multiply-accumulates a second.
        library: Whose matrix product it was.
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
    """The best rate of float32 products of square matrices, of all libraries and sizes.

    The fastest single product counts: a peak is what the machine reaches undisturbed. It is no
    theoretical number, so that a network with a better library behind it may come close to it, and
    on a GPU it follows TensorFlow's setting of TensorFloat-32, as the network does.

    Args:
        device: "CPU" or "GPU".
        threads: Threads of a CPU's products; `None` takes those that can run at once. A library
            that has another number and cannot change it is left out.
        sizes: Rows and columns; `None` takes those that fill such a device.
        min_seconds: Least duration of the products of one library and size.

    Returns:
        The best, or `None` if every library was left out.
    """
    sizes = sizes or (CPU_SIZES if device == "CPU" else GPU_SIZES)
    rates = [
        MatrixPeak(_rate(make(size), size, min_seconds), library, size, device)
        for library, make in matrix_products(device, threads).items()
        for size in sizes
    ]
    return best_peak(*rates)


def prepare_threads(threads: int | None) -> bool:
    """Whether TensorFlow has so many threads for its products.

    It can be told only before it has run anything; a process that wants another number than its
    own calls this first.
    """
    try:
        tensorflow_device.request_threads(threads)
    except ValueError:
        return False
    return True


def best_peak(*peaks: MatrixPeak | None) -> MatrixPeak | None:
    """The one with the largest rate; `None` if there is none."""
    measured = [peak for peak in peaks if peak is not None]
    return max(measured, key=lambda peak: peak.macs_per_second, default=None)


def matrix_products(device: str, threads: int | None) -> Mapping[str, Callable[[int], Product]]:
    """By library, what makes a finished float32 product of square matrices of a size."""
    products: dict[str, Callable[[int], Product]] = {}
    if device != "CPU":
        # A GPU that TensorFlow does not see is another runtime's alone.
        if tf.config.list_physical_devices("GPU"):
            products["tensorflow"] = lambda size: tensorflow_product(size, "/GPU:0")
        return products
    # numpy's library chose its number of threads when it was loaded: that of the cores.
    cores = available_cores()
    if (threads or cores.threads) == cores.logical:
        products["numpy"] = _numpy_product
    if prepare_threads(threads):
        products["tensorflow"] = lambda size: tensorflow_product(size, "/CPU:0")
    return products


def _rate(product: Product, size: int, min_seconds: float) -> float:
    seconds = measure_callable(product, warmup=1, min_repetitions=3, min_seconds=min_seconds)
    return size**3 / min(seconds)


def _numpy_product(size: int) -> Product:
    left, right = _matrices(size)
    result = np.empty_like(left)
    return lambda: np.matmul(left, right, out=result)


def tensorflow_product(size: int, device: str) -> Product:
    """Makes a product of square matrices by TensorFlow on a device such as `/GPU:0`."""
    with tf.device(device):
        left, right = (tf.constant(matrix) for matrix in _matrices(size))

    def product() -> None:
        with tf.device(device):
            tf.linalg.matmul(left, right)
        tensorflow_device.synchronize()

    return product


def _matrices(size: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(SEED)
    return tuple(generator.random((2, size, size), np.float32))
