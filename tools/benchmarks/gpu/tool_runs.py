"""Runs of this project's tools as measurements: each resumes from its own checkpoints."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tools.benchmarks.gpu.children import last_line
from tools.benchmarks.gpu.options import Options
from tools.benchmarks.gpu.results import Results


def run_tool(
    options: Options,
    results: Results,
    name: str,
    backend: str,
    call: list[str],
    read: Callable[[], dict[str, Any]],
) -> bool:
    """Runs a tool until it ends or the deadline has passed; does nothing if `name` is measured.

    Args:
        options: Options of the run.
        results: Where the measurement goes.
        name: Name of the measurement.
        backend: Keras's backend.
        call: Module and arguments.
        read: Returns the measurement after the tool has succeeded.

    Returns:
        Whether the measurement exists and has no error.
    """
    if name in results.measurements:
        return "error" not in results.measurements[name]
    if options.seconds_left() <= 0:
        return False
    start = time.monotonic()
    log = results.path.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", *call],
            stdout=stream,
            stderr=stream,
            env={**os.environ, "KERAS_BACKEND": backend},
            start_new_session=True,
        )
    try:
        status = process.wait(options.seconds_left())
    except subprocess.TimeoutExpired:
        status = None
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        seconds = results.spend(name, time.monotonic() - start)
    if status is None:
        return False
    facts: dict[str, Any] = {"seconds": seconds, "call": call}
    if status:
        last = last_line(log)
        results.add(name, {**facts, "error": f"{call[0]} ended with status {status}: {last}"})
    else:
        results.add(name, {**facts, **read()})
    print(f"{name}: {'error' if status else 'done'} after {seconds:.0f} s", flush=True)
    return not status
