"""TensorFlow's device, threads and tracing, for runners that use TensorFlow."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fasterseg.available_cores import available_cores, check_threads


def version() -> str:
    """Name and version of the backend."""
    return f"tensorflow {tf.__version__}"


def request_threads(threads: int | None) -> None:
    """Requests `threads` threads inside an operation.

    None leaves the choice to TensorFlow, which respects the cores that this process may use but not
    its CPU quota. If the quota is lower, this requests as many threads as the quota allows.

    Raises:
        ValueError: `threads` is below 1, or TensorFlow already runs with another number and can no
            longer change it.
    """
    check_threads(threads)
    if threads is None:
        _request_quota()
        return
    if threads == intra_op_threads():
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise ValueError(
            f"TensorFlow already runs with {intra_op_threads()} threads and cannot change to "
            f"threads={threads}; set TF_NUM_INTRAOP_THREADS={threads} before the program starts."
        ) from error


def intra_op_threads() -> int:
    """Number of threads that TensorFlow uses inside an operation on the CPU."""
    configured = tf.config.threading.get_intra_op_parallelism_threads()
    from_environment = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    if configured:
        return configured
    if from_environment.isdigit() and int(from_environment):
        return int(from_environment)
    return available_cores().logical


def device_name() -> str:
    """Name of the first GPU that TensorFlow sees, or `CPU` without one."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    details = tf.config.experimental.get_device_details(gpus[0])
    return str(details.get("device_name", gpus[0].name))


def synchronize(result: Any = None) -> None:
    """Waits until every TensorFlow device is idle."""
    del result  # TensorFlow waits for whole devices.
    tf.test.experimental.sync_devices()


def compiled(
    function: Callable[..., Any], variables: Sequence[keras.Variable]
) -> Callable[..., Any]:
    """A `tf.function` of uint8 images of any size, traced at its first call.

    Args:
        function: A function of images `(batch, height, width, 3)`.
        variables: Keras variables; TensorFlow reads them by itself.
    """
    del variables
    signature = (tf.TensorSpec((None, None, None, 3), tf.uint8, name="images"),)
    return tf.function(function, input_signature=signature, autograph=False, jit_compile=False)


def _request_quota() -> None:
    threads = available_cores().threads
    if intra_op_threads() != available_cores().logical or intra_op_threads() == threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        # TensorFlow already runs. This warns that it uses too many threads.
        check_threads(intra_op_threads())
