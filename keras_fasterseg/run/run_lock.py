"""A lock file that allows only one process at a time to work in a run's folder."""

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

    The operating system releases the lock when the process ends, however it ends. The file contains
    the holder's host and process id, and is removed at the end. A file that is not locked was left
    by a killed process; it is taken over if that process ran on this host. For another host the
    lock is refused, because locks on shared disks may not work across hosts.

    Args:
        folder: The run's folder; created if missing.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.path = pathlib.Path(folder) / LOCK
        self._holds = 0
        self._file: int | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Context in which this process holds the folder; may be nested.

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
                # Removed while still locked: later it could be another process's file.
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
                    "Process %d ended without unlocking %s; this process takes over the lock.",
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
                # The previous holder may have removed the file after it was opened here.
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
        """Returns the content of the file; empty if it is invalid."""
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
                "ends, or choose another workdir."
            )
        who = f"process {holder['pid']} on the host {holder['host']}" if holder else "a process"
        return (
            f"{folder} is locked by {who}; wait until it ends, or choose another workdir. If it "
            f"has already ended, delete {self.path}."
        )
