"""Reads batches in processes of their own, so that Python's interpreter lock does not limit it.

Threads would share the lock with each other and with the training step. The processes are new
ones, never forks, because JAX and PyTorch run threads that a fork would leave in an undefined
state. They import neither Keras nor a backend.
"""

import collections
import concurrent.futures
import contextlib
import itertools
import os
import pathlib
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from multiprocessing import connection
from typing import Protocol

import numpy as np

_PREFETCHED_BATCHES = 2
_PACKAGE = pathlib.Path(__file__).parents[1]
# A bare module takes the place of the package, whose own module imports Keras.
_PROGRAM = f"""
import sys, types
descriptor, folder, sys.path[:] = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
package = types.ModuleType("{_PACKAGE.name}")
package.__path__ = [folder]
sys.modules["{_PACKAGE.name}"] = package
from {__name__} import serve
serve(descriptor)
"""


class Batches(Protocol):
    """Pairs of arrays, all of the same shapes and types, by number; it must be picklable."""

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]: ...


def read_in_processes(
    batches: Batches, first: int, processes: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields `batches[first]`, `batches[first + 1]` and so on, without end.

    Each process reads every n-th batch and holds one that is finished. A thread receives the next
    two while the caller uses a batch. Closing the generator ends the processes; they also end if
    this process is killed.

    Raises:
        ChildProcessError: A process ended early.
        Exception: The error that a batch raised in its process.
    """
    content = pickle.dumps(batches)
    with contextlib.ExitStack() as stack:
        # It exits last: the end of the processes ends its waiting.
        thread = stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
        readers = [stack.enter_context(_Reader()) for _ in range(processes)]
        for index, reader in enumerate(readers):
            reader.start(content, first + index, processes)
        turns = itertools.cycle(readers)
        received = collections.deque(
            thread.submit(reader.next) for reader in itertools.islice(turns, _PREFETCHED_BATCHES)
        )
        for reader in turns:
            yield received.popleft().result()
            received.append(thread.submit(reader.next))


class _Reader(contextlib.AbstractContextManager):
    """A process that reads every n-th batch."""

    def __init__(self) -> None:
        self._connection, other = connection.Pipe()
        with other:
            descriptor = other.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(descriptor), str(_PACKAGE), *sys.path],
                pass_fds=[descriptor],
                # An interruption from the keyboard reaches this process only.
                start_new_session=True,
            )

    def start(self, batches: bytes, first: int, step: int) -> None:
        # If the process has ended already, `next` says so.
        with contextlib.suppress(ConnectionError):
            self._connection.send((batches, first, step))

    def __exit__(self, *exception) -> None:
        # The thread may still read from the connection, which closes with the last reference.
        self._process.terminate()
        self._process.wait()

    def next(self) -> tuple[np.ndarray, np.ndarray]:
        try:
            layouts, error = self._connection.recv()
            if error is None:
                arrays = [np.empty(*layout) for layout in layouts]
                for array in arrays:
                    self._connection.recv_bytes_into(array.data.cast("B"))
                return arrays[0], arrays[1]
        except (EOFError, ConnectionError):
            raise ChildProcessError(
                f"A process that reads images has ended with status {self._process.wait()}, "
                "probably because memory is full; use a smaller batch size or no cache."
            ) from None
        raise error


def serve(descriptor: int) -> None:
    """Sends batches until the other end of the connection is closed: the body of a process."""
    with (
        # The other process has ended, or wants no more.
        contextlib.suppress(EOFError, ConnectionError),
        connection.Connection(descriptor) as other,
    ):
        try:
            content, first, step = other.recv()
            batches: Batches = pickle.loads(content)
            for number in itertools.count(first, step):
                arrays = batches[number]
                other.send(([(array.shape, array.dtype) for array in arrays], None))
                for array in arrays:
                    other.send_bytes(array.data.cast("B"))
        except Exception as error:
            error.add_note(f"In the process {os.getpid()}:\n{traceback.format_exc()}")
            other.send(([], error))
