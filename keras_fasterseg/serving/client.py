"""What every client offers: bytes of images to a server, class ids back."""

import abc
import urllib.parse
from typing import Any

import numpy as np

from keras_fasterseg.runtimes.base import check_images
from keras_fasterseg.serving.errors import ServingError

TIMEOUT_S = 30.0
ATTEMPTS = 4


class SegmentationClient(abc.ABC):
    """Asks a server for class ids. One thread at a time may use it.

    A subclass names its `default_port` and implements `_predict` and `close`.

    Args:
        server: Host and port, such as `127.0.0.1:8501`; without a port, that of the protocol. A
            proxy's path after them comes before that of every request.
        model: The name by which the server knows the model.
        version: Which of its versions; None leaves the choice to the server.
        timeout_s: Seconds to wait for an answer: of every attempt by HTTP, of all by gRPC.
        attempts: How often a request is sent at most while the server is not there, turns requests
            away or is overloaded; gRPC stops at 5. What took too long is not sent again.

    Raises:
        RuntimeNotInstalledError: A package of the extra `serving` is missing.
        ValueError: `timeout_s`, `attempts` or `version` is out of its range, or `server` has no
            such form.
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
            ServingError: The server cannot be reached, refuses the request, takes too long or
                answers something else than class ids of these images.
            ValueError: The images have another dtype or shape.
        """
        check_images(images)
        return self._class_ids(self._predict(images), images.shape[:3])

    def _address(self, server: str) -> str:
        """`server` with a port; another protocol may know other forms of an address."""
        host, slash, path = (server, "", "") if "://" in server else server.partition("/")
        return with_port(host, self.default_port) + slash + path

    @abc.abstractmethod
    def _predict(self, images: np.ndarray) -> Any:
        """The server's answer, as an array or as lists of numbers.

        Raises:
            TransientServingError: The server stayed away for all attempts.
            ServingError: It refuses the request or takes too long.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Gives the connection back."""

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
                f"{array.shape} in place of class ids of shape {shape}: it serves another network."
            )
        return array.astype(np.uint8)


def with_port(server: str, default: int) -> str:
    """`server` with the port `default` if it names none; an address with `://` stays as it is.

    Raises:
        ValueError: It has no host, or its port is none.
    """
    if "://" in server:
        return server
    # An address of IPv6 has colons of its own; with a port it stands in brackets.
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
