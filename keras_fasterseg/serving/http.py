"""POSTs to a server; failures become this package's errors."""

from typing import Any

from keras_fasterseg.runtimes.optional_import import optional_import
from keras_fasterseg.serving.errors import ServingError, TransientServingError

# Too many requests; the server behind a proxy is gone, not ready or too slow. TensorFlow Serving
# says 503 when its queue is full.
_TRANSIENT_STATUS = (429, 502, 503, 504)
_LONGEST_REASON = 300


class HttpConnection:
    """A kept-alive connection to one server.

    Args:
        server: Host and port; `https://` before them encrypts.
        timeout_s: Seconds to wait for a connection, and then for the next bytes.
        attempts: How often a request is sent at most, while the server is not available.

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
        """Sends `body` and returns the response of a server that had nothing to complain of.

        Args:
            path: Below the server, beginning with a slash.
            body: What is sent.
            headers: Beside those that every request has.

        Raises:
            TransientServingError: All attempts found no connection, or a server that asks to come
                again.
            ServingError: The server refuses or takes too long.
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
            raise ServingError(f"{self.url} cannot be asked ({one_line(str(error))}).") from error
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
    """`text` without line breaks, shortened to what fits into a sentence."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} ..."


def root_cause(error: BaseException) -> str:
    """What the innermost of nested errors says, without the layers that it came through."""
    innermost = error
    while inner := innermost.__cause__ or innermost.__context__:
        innermost = inner
    return one_line(str(innermost)) or type(innermost).__name__


def _retries(attempts: int) -> Any:
    # It comes with requests.
    from urllib3 import Retry
    from urllib3.exceptions import ReadTimeoutError

    class NotAfterSilence(Retry):
        """Ends at once where the server took too long."""

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
        # Clients which a server has turned away together do not come back together.
        backoff_jitter=0.5,
        backoff_max=8,
    )


def _reason(response: Any) -> str:
    """What the server says of it: its JSON's `error`, or else its text."""
    try:
        message = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        message = response.text
    return str(message) or "it gives no reason"
