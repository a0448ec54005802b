"""One run at a time in a folder: the process that works there holds a locked file."""

import contextlib
import fcntl
import json
import os
import pathlib
import socket
from collections.abc import Iterator
from typing import Any

from absl import logging

from keras_fasterseg.files import read_json

LOCK = "run.lock"


class RunLock:
    """Keeps other processes out of a run's folder while this one writes there.

    The system holds the lock and drops it when the process ends, however it ends. The file says who
    holds it: host and process id. It is removed at the end; one that nobody holds is what a killed
    process has left, and is taken over if it is of this host. Of another host's, on a disk where
    locks may not reach across hosts, nobody here can tell.

    Args:
        folder: The run's folder; made if it is missing.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.path = pathlib.Path(folder) / LOCK
        self._holds = 0
        self._file: int | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Within it, the folder is this process's; may be entered again within itself.

        Raises:
            OSError: Another process works in the folder, or the lock cannot be written.
        """
        if not self._holds:
            self._acquire()
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds and self._file is not None:
                # While it is still locked, so that nobody else's is removed.
                self.path.unlink(missing_ok=True)
                os.close(self._file)

    def _acquire(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self._locked_file()
        try:
            holder = self._holder()
            host = socket.gethostname()
            if holder and holder["host"] != host:
                raise OSError(self._sentence(holder))
            if holder:
                logging.warning(
                    "Process %d, which had locked %s, has ended without unlocking it; this one "
                    "takes over.",
                    holder["pid"],
                    self.path.parent,
                )
            os.truncate(file, 0)
            os.write(file, json.dumps({"host": host, "pid": os.getpid()}).encode())
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def _locked_file(self) -> int:
        while True:
            file = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever held it may have removed the file that was opened here.
                if self.path.exists() and os.path.samestat(os.fstat(file), self.path.stat()):
                    return file
            except BlockingIOError:
                os.close(file)
                raise OSError(self._sentence(self._holder())) from None
            except BaseException:
                os.close(file)
                raise
            os.close(file)

    def _holder(self) -> dict[str, Any]:
        """Content of the file; empty if it cannot be understood."""
        try:
            holder = read_json(self.path)
            fine = isinstance(holder["host"], str) and type(holder["pid"]) is int
            return holder if fine else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _sentence(self, holder: dict[str, Any]) -> str:
        folder = self.path.parent
        if holder.get("host") == socket.gethostname():
            return (
                f"Process {holder['pid']} on this machine is working in {folder}; wait until it "
                "has ended, or choose another workdir."
            )
        who = f"process {holder['pid']} on the host {holder['host']}" if holder else "a process"
        return (
            f"{folder} is locked by {who}; wait until it has ended, or choose another workdir. If "
            f"it has ended, delete {self.path}."
        )
