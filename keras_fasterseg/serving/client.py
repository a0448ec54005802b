"""Base class of all clients: sends image bytes to a server and returns class ids."""

import abc
import urllib.parse
from typing import Any

import numpy as np

from keras_fasterseg.runtimes.base import check_images
from keras_fasterseg.serving.errors import ServingError

TIMEOUT_S = 30.0
ATTEMPTS = 4


class SegmentationClient(abc.ABC):
    """Requests class ids from a server. Not thread-safe: use one client per thread.

    A subclass sets `default_port` and implements `_predict` and `close`.

    Args:
        server: Host and port, such as `127.0.0.1:8501`; the default port is the protocol's. A
            proxy's path after them is prepended to the path of every request.
        model: Name of the model on the server.
        version: Version of the model; None leaves the choice to the server.
        timeout_s: Seconds to wait for an answer: per attempt with HTTP, for all attempts with gRPC.
        attempts: Maximum number of attempts per request while the server is unreachable, rejects
            requests or is overloaded; gRPC makes at most 5. A request that timed out is not
            retried.

    Raises:
        RuntimeNotInstalledError: A package of the extra `serving` is missing.
        ValueError: `timeout_s`, `attempts` or `version` is out of range, or `server` is not a host
            with an optional port.
    """

    default_port: int

    def __init__(
        self,
        server: str,
        model: str,
        *,
        version: int | None = None,
        timeout_s: float = TIMEOUT_S,
        attempts: int = ATTEMPTS,
    ) -> None:
        if timeout_s <= 0:
            raise ValueError(f"`timeout_s` must be above 0. Received: timeout_s={timeout_s}")
        if attempts < 1:
            raise ValueError(f"`attempts` must be at least 1. Received: attempts={attempts}")
        if version is not None and version < 0:
            raise ValueError(f"`version` must not be negative. Received: version={version}")
        self.server = self._address(server)
        self.model = model
        self.version = version
        self._timeout_s = timeout_s
        self._attempts = attempts

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The class of every pixel.

        Args:
            images: uint8 RGB images of shape `(batch, height, width, 3)`, sizes at least 32.

        Returns:
            uint8 class ids of shape `(batch, height, width)`.

        Raises:
            ServingError: The server cannot be reached, rejects the request, takes too long, or does
                not return class ids for these images.
            ValueError: The images have another dtype or shape.
        """
        check_images(images)
        return self._class_ids(self._predict(images), images.shape[:3])

    def _address(self, server: str) -> str:
        """`server` with a port. A subclass may support other forms of addresses."""
        host, slash, path = (server, "", "") if "://" in server else server.partition("/")
        return with_port(host, self.default_port) + slash + path

    @abc.abstractmethod
    def _predict(self, images: np.ndarray) -> Any:
        """The server's answer, as an array or as lists of numbers.

        Raises:
            TransientServingError: The server was unavailable at every attempt.
            ServingError: The server rejects the request or takes too long.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Closes the connection."""

    def __enter__(self) -> "SegmentationClient":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _class_ids(self, answer: Any, shape: tuple[int, ...]) -> np.ndarray:
        try:
            array = np.asarray(answer)
        except ValueError:
            # Lists of unequal lengths.
            array = np.empty(0)
        is_integer = np.issubdtype(array.dtype, np.integer)
        if not is_integer or array.shape != shape or array.min() < 0 or array.max() > 255:
            raise ServingError(
                f"{self.server} answered for the model {self.model} with {array.dtype} of shape "
                f"{array.shape} instead of class ids of shape {shape}; check that it serves an "
                "export of this package."
            )
        return array.astype(np.uint8)


def with_port(server: str, default: int) -> str:
    """`server`, with the port `default` unless it has one; returns addresses with `://` unchanged.

    Raises:
        ValueError: The host is missing or the port is invalid.
    """
    if "://" in server:
        return server
    # IPv6 addresses contain colons; with a port, they are in brackets.
    is_bare_ipv6 = server.count(":") > 1 and not server.startswith("[")
    try:
        parts = urllib.parse.urlsplit(f"//[{server}]" if is_bare_ipv6 else f"//{server}")
        is_address, port = bool(parts.hostname) and parts.netloc == parts.geturl()[2:], parts.port
    except ValueError:
        is_address, port = False, None
    if not is_address:
        raise ValueError(
            "`server` must be a host and a port, such as 127.0.0.1:8501. "
            f"Received: server={server!r}"
        )
    return parts.netloc if port is not None else f"{parts.netloc.rstrip(':')}:{default}"
