"""Servers as processes of their own, which end with the test that started them."""

import contextlib
import pathlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

START_SECONDS = 120.0
_STOP_SECONDS = 20.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def server_process(
    command: Sequence[str],
    is_ready: Callable[[], bool],
    log: pathlib.Path,
    environment: Mapping[str, str] | None = None,
    folder: pathlib.Path | None = None,
) -> Iterator[subprocess.Popen]:
    """A running server; on the way out it must still be alive, and is stopped."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=folder
        )
    try:
        _wait(process, is_ready, log)
        yield process
        assert process.poll() is None, log.read_text(errors="replace")[-4000:]
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen, is_ready: Callable[[], bool], log: pathlib.Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        text = log.read_text(errors="replace")[-4000:]
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.2)


def answers(url: str) -> bool:
    """Whether a GET of `url` succeeds."""
    import requests

    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def listens(port: int) -> bool:
    """Whether somebody accepts connections at this port of 127.0.0.1."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
