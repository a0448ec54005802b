"""What TensorFlow runs on, for the runners that use it."""

import os

import tensorflow as tf

from keras_fasterseg.available_cores import available_cores, check_threads


def request_threads(threads: int | None) -> None:
    """Asks for `threads` threads inside an operation.

    None leaves the choice to TensorFlow, which knows the cores that this process may use. Their
    quota it does not know: where that is less, so many threads are asked for.

    Raises:
        ValueError: `threads` is below 1, or TensorFlow runs already with another number, which it
            cannot change any more.
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
            f"TensorFlow runs already with {intra_op_threads()} threads and cannot change to "
            f"threads={threads}; set TF_NUM_INTRAOP_THREADS={threads} before the program starts."
        ) from error


def intra_op_threads() -> int:
    """How many threads TensorFlow uses inside one operation on the CPU."""
    configured = tf.config.threading.get_intra_op_parallelism_threads()
    from_environment = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    if configured:
        return configured
    if from_environment.isdigit() and int(from_environment):
        return int(from_environment)
    return available_cores().logical


def device_name() -> str:
    """The name of the first GPU that TensorFlow sees, else `CPU`."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    details = tf.config.experimental.get_device_details(gpus[0])
    return str(details.get("device_name", gpus[0].name))


def synchronize() -> None:
    """Returns when every device of TensorFlow is idle."""
    tf.test.experimental.sync_devices()


def _request_quota() -> None:
    threads = available_cores().threads
    if intra_op_threads() != available_cores().logical or intra_op_threads() == threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        # It runs already. The warning says that these are too many.
        check_threads(intra_op_threads())
