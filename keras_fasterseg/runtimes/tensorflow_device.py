"""What TensorFlow runs on, for the runners that use it."""

import os

import psutil
import tensorflow as tf


def request_threads(threads: int | None) -> None:
    """Asks for `threads` threads inside an operation; None leaves everything as it is.

    Raises:
        ValueError: `threads` is below 1, or TensorFlow runs already with another number, which it
            cannot change any more.
    """
    if threads is None:
        return
    if threads < 1:
        raise ValueError(f"`threads` must be at least 1 or None. Received: threads={threads}")
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
    return _available_cores()


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


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1
