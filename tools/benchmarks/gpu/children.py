"""Processes that measure: each has one backend, and reports every measurement when it is done.

A child runs a module with a function `measure(**arguments)` that yields pairs of a
name and a measurement. Before each measurement it yields its name with `None`, so that the parent
knows what a crashed child was measuring.
"""

import contextlib
import importlib
import json
import os
import pathlib
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from tools.benchmarks.gpu.results import Results


def measure_in_child(
    results: Results,
    module: str,
    names: list[str],
    backend: str,
    deadline: float,
    **arguments: Any,
) -> None:
    """Adds the missing ones of `names` to `results`, until `deadline`.

    A measurement that ends its process is recorded as an error, and the others continue in a new
    process. At the deadline the process is killed, and what it was measuring stays missing.

    Args:
        results: Where measurements go.
        module: Full name of the module.
        names: Measurements of the module, in order.
        backend: Keras's backend in the child.
        deadline: When to stop, in seconds of `time.monotonic()`.
        **arguments: Arguments of the module's `measure`, besides `names` and `deadline`.
    """
    while (missing := results.missing(names)) and time.monotonic() < deadline:
        seconds = deadline - time.monotonic()
        call = json.dumps({**arguments, "names": missing, "seconds": seconds})
        started = None
        log = results.path.with_suffix(".log")
        with _Child(module, call, backend, log) as child:
            for name, measurement in child.lines(deadline):
                started = name
                if measurement is not None:
                    results.add(name, measurement)
                    started = None
                    _say(name, measurement)
        if child.timed_out or child.status == 0:
            return
        reason = f"the process ended with status {child.status}: {last_line(log)}"
        for name in [started] if started else missing:
            results.add(name, {"error": reason})
            _say(name, {"error": reason})


class _Child:
    def __init__(self, module: str, call: str, backend: str, log: pathlib.Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, module, call],
                stdout=subprocess.PIPE,
                stderr=stream,
                env={**os.environ, "KERAS_BACKEND": backend},
                # Compilers start processes of their own, which end with the child.
                start_new_session=True,
            )
        self.timed_out = False
        self.status: int | None = None

    def __enter__(self) -> "_Child":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None or self.timed_out:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self.status = self._process.wait()

    def lines(self, deadline: float) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yields what the child reports, until it ends or the deadline has passed."""
        pipe = self._process.stdout
        assert pipe is not None
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.timed_out = True
                    return
                chunk = os.read(pipe.fileno(), 65536)
                if not chunk:
                    self._process.wait()
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield tuple(json.loads(line))


def last_line(log: pathlib.Path) -> str:
    """The last line of a log, shortened."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no output"


def _say(name: str, measurement: dict[str, Any]) -> None:
    error = measurement.get("error")
    shown = f"error: {error}" if error else f"{measurement.get('p50_ms', 0):.3f} ms"
    print(f"{name}: {shown}", flush=True)


def main() -> None:
    """Runs `measure` of a module; its reports are lines of JSON on standard output."""
    _, module, call = sys.argv
    # Whatever libraries print belongs into the log.
    reports = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    measure = importlib.import_module(module).measure
    for report in measure(**json.loads(call)):
        print(json.dumps(report), file=reports, flush=True)


if __name__ == "__main__":
    main()
