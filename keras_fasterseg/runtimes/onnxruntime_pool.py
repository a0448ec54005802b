"""The threads of ONNX Runtime: one pool a process."""

import functools
from typing import Any

from keras_fasterseg.available_cores import available_cores


def session_options(threads: int | None) -> tuple[Any, int]:
    """Options of a session that runs in the process's one pool, and the threads of that pool.

    Threads of ONNX Runtime go on spinning for a while when a run is over. Were there a pool for
    every session, several networks or operations that take turns would slow one another down.

    Args:
        threads: Threads inside an operation; None takes one for every physical core that this
            process may use. ONNX Runtime itself would take all cores of the machine.

    Raises:
        ValueError: The pool exists already with another number of threads.
    """
    import onnxruntime

    threads = threads or available_cores().physical_threads
    _make_pool(threads)
    options = onnxruntime.SessionOptions()
    options.use_per_session_threads = False
    options.log_severity_level = 3
    return options, threads


@functools.cache
def _make_pool(threads: int) -> None:
    import onnxruntime

    # Its exceptions have no common type but this.
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail

    try:
        onnxruntime.set_global_thread_pool_sizes(threads, 1)
    except Fail as error:
        raise ValueError(
            "ONNX Runtime runs already with another number of threads and cannot change to "
            f"threads={threads}; give the same number everywhere, or start another process."
        ) from error
