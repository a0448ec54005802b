"""The thread pool of ONNX Runtime, one per process, and its errors."""

import functools
import importlib
from typing import Any

from keras_fasterseg.available_cores import available_cores


def session_options(threads: int | None) -> tuple[Any, int]:
    """Options of a session that uses the process's shared pool, and the pool's thread count.

    Threads of ONNX Runtime keep spinning for a while after a call. With one pool per session,
    networks or operations that take turns would slow each other down.

    Args:
        threads: Threads inside an operation; None uses one per physical core that this process may
            use. ONNX Runtime itself would use all cores of the machine.

    Raises:
        ValueError: The pool already exists with another number of threads.
    """
    import onnxruntime

    threads = threads or available_cores().physical_threads
    _make_pool(threads)
    options = onnxruntime.SessionOptions()
    options.use_per_session_threads = False
    options.log_severity_level = 3
    return options, threads


def loading_errors() -> tuple[type[Exception], ...]:
    """Exceptions that ONNX Runtime raises for a file that it cannot load."""
    # They have no public common type. The module is compiled and untyped.
    errors = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    return (
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.InvalidProtobuf,
        errors.NoSuchFile,
        errors.NotImplemented,
        errors.RuntimeException,
    )


@functools.cache
def _make_pool(threads: int) -> None:
    import onnxruntime

    # ONNX Runtime's exceptions have no public common type.
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail

    try:
        onnxruntime.set_global_thread_pool_sizes(threads, 1)
    except Fail as error:
        raise ValueError(
            "ONNX Runtime already runs with another number of threads and cannot change to "
            f"threads={threads}; use the same number everywhere, or start another process."
        ) from error
