"""Runs a tool as a program of its own, without importing TensorFlow anew for each."""

import dataclasses
import multiprocessing
import os
import pathlib
import runpy
import sys
import tempfile

# A server that has the library loaded but no flag defined; every run is a fork of it.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["keras_fasterseg.jobs.run_all"])
_TIMEOUT_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class Finished:
    """Status and output of a finished run."""

    status: int
    stdout: str
    stderr: str


def run_tool(name: str, *arguments: str) -> Finished:
    """`python -m tools.<name> <arguments>`."""
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder) / stream for stream in ("stdout", "stderr")]
        process = _SERVER.Process(target=_run, args=(name, arguments, *files))
        process.start()
        process.join(_TIMEOUT_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        return Finished(process.exitcode, *(file.read_text(encoding="utf-8") for file in files))


def sentence(finished: Finished) -> str:
    """The last line on standard error, after it has failed."""
    assert finished.status == 1, finished
    assert "Traceback" not in finished.stderr
    return finished.stderr.strip().splitlines()[-1]


def _run(name: str, arguments: tuple[str, ...], *files: pathlib.Path) -> None:
    for stream, file in zip((1, 2), files, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), stream)
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", closefd=False) for stream in (1, 2))
    sys.argv = [f"{name}.py", *arguments]
    try:
        runpy.run_module(f"tools.{name}", run_name="__main__", alter_sys=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
