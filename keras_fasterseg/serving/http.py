"""Sends HTTP POST requests, and converts failures to this package's errors."""

from typing import Any

from keras_fasterseg.runtimes.optional_import import optional_import
from keras_fasterseg.serving.errors import ServingError, TransientServingError

# Too many requests; or the server behind a proxy is gone, not ready or too slow. TensorFlow Serving
# returns 503 when its queue is full.
_TRANSIENT_STATUS = (429, 502, 503, 504)
_LONGEST_REASON = 300


class HttpConnection:
    """A kept-alive connection to one server.

    Args:
        server: Host and port; use the prefix `https://` for encryption.
        timeout_s: Seconds to wait for a connection, and then for the next bytes.
        attempts: Maximum number of attempts per request while the server is unavailable.

    Raises:
        RuntimeNotInstalledError: The package requests is not installed.
    """

    def __init__(self, server: str, timeout_s: float, attempts: int) -> None:
        self._requests = optional_import("requests", "serving", "A client for HTTP")
        self.url = (server if "://" in server else f"http://{server}").rstrip("/")
        self._timeout_s = timeout_s
        self._session = self._requests.Session()
        adapter = self._requests.adapters.HTTPAdapter(max_retries=_retries(attempts))
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        """Sends `body` and returns the response if its status is OK.

        Args:
            path: Path on the server, beginning with a slash.
            body: Body of the request.
            headers: Headers in addition to the standard ones.

        Raises:
            TransientServingError: At every attempt, the connection failed or the server answered
                with a temporary error.
            ServingError: The server rejects the request or takes too long.
        """
        errors = self._requests.exceptions
        try:
            response = self._session.post(
                self.url + path, data=body, headers=headers, timeout=self._timeout_s
            )
        except errors.ReadTimeout as error:
            raise ServingError(
                f"{self.url} did not answer within {self._timeout_s:g} s."
            ) from error
        except errors.ConnectionError as error:
            raise TransientServingError(
                f"{self.url} cannot be reached ({root_cause(error)})."
            ) from error
        except errors.RequestException as error:
            raise ServingError(
                f"The request to {self.url} failed ({one_line(str(error))})."
            ) from error
        if response.ok:
            return response
        kind = TransientServingError if response.status_code in _TRANSIENT_STATUS else ServingError
        raise kind(
            f"{self.url + path} answered {response.status_code} {response.reason}: "
            f"{one_line(_reason(response))}"
        )

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()


def one_line(text: str) -> str:
    """`text` on one line, shortened to 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} ..."


def root_cause(error: BaseException) -> str:
    """Message of the innermost of nested errors, or its type if it has no message."""
    innermost = error
    while inner := innermost.__cause__ or innermost.__context__:
        innermost = inner
    return one_line(str(innermost)) or type(innermost).__name__


def _retries(attempts: int) -> Any:
    # A dependency of requests.
    from urllib3 import Retry
    from urllib3.exceptions import ReadTimeoutError

    class NotAfterSilence(Retry):
        """Stops retrying if the server took too long."""

        def increment(self, *request: Any, error: Exception | None = None, **more: Any) -> Retry:
            if isinstance(error, ReadTimeoutError):
                raise error
            return super().increment(*request, error=error, **more)

    return NotAfterSilence(
        attempts - 1,
        allowed_methods=None,
        status_forcelist=_TRANSIENT_STATUS,
        raise_on_status=False,
        respect_retry_after_header=False,
        backoff_factor=0.5,
        # Clients that a server rejected at the same time retry at different times.
        backoff_jitter=0.5,
        backoff_max=8,
    )


def _reason(response: Any) -> str:
    """The reason in the server's response: the `error` in its JSON, or else its text."""
    try:
        message = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        message = response.text
    return str(message) or "no reason given"
