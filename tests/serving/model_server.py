"""A small HTTP server that answers from a list, to see what clients send and how they go on."""

import contextlib
import dataclasses
import http.server
import threading
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Answer:
    """The server's answer to one request; a status of 0 closes the connection without one."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Received:
    """A request."""

    path: str
    headers: dict[str, str]
    body: bytes


class ModelServer:
    """Listens on 127.0.0.1 at a free port; answers in turn, the last for all further requests."""

    def __init__(self, answers: list[Answer]) -> None:
        self.received: list[Received] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = answers[min(len(outer.received), len(answers) - 1)]
                outer.received.append(Received(self.path, dict(self.headers), body))
                if answer.status == 0:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *arguments: object) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def model_server(*answers: Answer) -> Iterator[ModelServer]:
    """A server that gives these answers."""
    server = ModelServer(list(answers))
    server.start()
    try:
        yield server
    finally:
        server.stop()
