"""Imports TensorFlow without its informational log lines; all other output of the import remains.

TensorFlow logs that oneDNN is on and for which instructions it was compiled, and has no setting to
silence that. A fork of this process filters standard error during the import, so that the last
output of a crashing import is not lost.
"""

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

# Informational lines of native code, with and without a date, and their continuations. CUDA plugins
# complain that they are linked twice, which is harmless.
_GREETING = re.compile(
    rb"I\d{4} |\d{4}-\d\d-\d\d [\d:.]+: I |WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions:"
    rb"|.*(Attempting to register factory for plugin cu|computation placer already registered)"
)
_CHUNK = 65536


def quiet_import(name: str) -> None:
    """Makes the first import of the package `name` omit its informational log lines."""
    if name not in sys.modules and hasattr(os, "fork") and sys.stderr is not None:
        sys.meta_path.insert(0, _QuietFinder(name))


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds one package, once, like the other finders, and makes its import quiet."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module: ModuleType) -> None:
                with without_greetings():
                    execute(module)

            spec.loader.exec_module = quietly
        return spec


@contextlib.contextmanager
def without_greetings() -> Iterator[None]:
    """Context in which informational lines on standard error are omitted."""
    sys.stderr.flush()
    stderr = os.dup(2)
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        os.close(sender)
        _pass_on(receiver, stderr)
    os.dup2(sender, 2)
    os.close(sender)
    os.close(receiver)
    try:
        yield
    finally:
        sys.stderr.flush()
        # Closes the last writing end of the pipe.
        os.dup2(stderr, 2)
        os.close(stderr)
        os.waitpid(child, 0)


def _pass_on(receiver: int, stderr: int) -> None:
    """Copies lines until all writers have closed the pipe, and ends the process."""
    try:
        # Ctrl-C reaches all processes of a terminal; the other process may still write.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        rest = b""
        while chunk := os.read(receiver, _CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                _write(stderr, line + b"\n")
        _write(stderr, rest)
    finally:
        os._exit(0)


def _write(stderr: int, line: bytes) -> None:
    if not _GREETING.match(line):
        while line:
            line = line[os.write(stderr, line) :]
