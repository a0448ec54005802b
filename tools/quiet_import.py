"""Imports TensorFlow without its greetings; whatever else an import writes comes through.

TensorFlow logs that oneDNN is on and which instructions it was compiled for, and no setting of its
own silences that. A fork of this process reads its standard error while TensorFlow is imported, so
that the last words of an import that crashes come through as well.
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

# Lines of native code that only inform, with and without a date, and what belongs to them. Plugins
# of CUDA complain of being linked twice, which harms nobody.
_GREETING = re.compile(
    rb"I\d{4} |\d{4}-\d\d-\d\d [\d:.]+: I |WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions:"
    rb"|.*(Attempting to register factory for plugin cu|computation placer already registered)"
)
_CHUNK = 65536


def quiet_import(name: str) -> None:
    """From now on, the first import of the package `name` leaves its greetings out."""
    if name not in sys.modules and hasattr(os, "fork") and sys.stderr is not None:
        sys.meta_path.insert(0, _QuietFinder(name))


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds one package, once, as the other finders do."""

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
    """Within it, lines on standard error that only greet are left out."""
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
        # Closes the last end of the pipe that is written to.
        os.dup2(stderr, 2)
        os.close(stderr)
        os.waitpid(child, 0)


def _pass_on(receiver: int, stderr: int) -> None:
    """Copies lines until nobody writes any more, and ends the process."""
    try:
        # Ctrl-C is for all processes of a terminal; the other one may have something to say yet.
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
