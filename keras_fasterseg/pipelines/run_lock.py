"""One run at a time in a folder: a file names the process that works there."""

import contextlib
import json
import os
import pathlib
import socket
from collections.abc import Iterator
from typing import Any

import psutil
from absl import logging

from keras_fasterseg.files import read_json

LOCK = "run.lock"
# Two readings of when a process began differ by less.
_SECONDS = 1.0


class RunLock:
    """Keeps other processes out of a run's folder while this one writes there.

    The file holds host, process id and start of the process. What a process that is dead has left
    is removed, if it ran on this host; of another host nobody here can tell.

    Args:
        folder: The run's folder; made if it is missing.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.path = pathlib.Path(folder) / LOCK
        self._holds = 0

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
            if not self._holds:
                self.path.unlink(missing_ok=True)

    def _acquire(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        own = _process(os.getpid())
        try:
            self._write(own)
        except FileExistsError:
            holder = self._holder()
            if not _is_dead(holder):
                raise OSError(self._sentence(holder)) from None
            logging.warning(
                "Process %d, which had locked %s, is not running any more; its lock is removed.",
                holder["pid"],
                self.path.parent,
            )
            self.path.unlink(missing_ok=True)
            try:
                self._write(own)
            except FileExistsError:
                # Another process was quicker.
                raise OSError(self._sentence(self._holder())) from None

    def _write(self, holder: dict[str, Any]) -> None:
        descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(holder, file)

    def _holder(self) -> dict[str, Any]:
        """What the file says; empty if it says nothing that can be understood."""
        try:
            holder = read_json(self.path)
            fine = isinstance(holder["host"], str) and type(holder["pid"]) is int
            return {**holder, "started": float(holder["started"])} if fine else {}
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
            f"it is not running any more, delete {self.path}."
        )


def _process(pid: int) -> dict[str, Any]:
    started = psutil.Process(pid).create_time()
    return {"host": socket.gethostname(), "pid": pid, "started": started}


def _is_dead(holder: dict[str, Any]) -> bool:
    """Whether the process ran on this host and has ended; its number may be another's by now."""
    if holder.get("host") != socket.gethostname():
        return False
    try:
        running = _process(holder["pid"])
    except psutil.NoSuchProcess:
        return True
    except (psutil.AccessDenied, ValueError, OverflowError):
        return False
    return abs(running["started"] - holder["started"]) > _SECONDS
