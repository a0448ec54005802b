"""Runs several clients against a server without a pause, and records the results."""

import concurrent.futures
import dataclasses
import time
from collections.abc import Callable

import numpy as np

from keras_fasterseg.serving.client import SegmentationClient
from keras_fasterseg.serving.errors import ServingError

# If the server is gone, thousands of requests per second fail.
_MAXIMUM_FAILURES = 100


@dataclasses.dataclass(frozen=True)
class LoadResult:
    """Results of a number of clients.

    Attributes:
        clients: Number of concurrent clients.
        seconds: Seconds from the first request to the last answer.
        latencies_ms: Latency of every answered request, in milliseconds.
        failures: Error message of every failed request; a client stops after 100 failures.
        differing: Number of answers that differed from the expected class ids.
    """

    clients: int
    seconds: float
    latencies_ms: tuple[float, ...]
    failures: tuple[str, ...]
    differing: int

    def percentile_ms(self, percent: float) -> float:
        """That percentile of the latencies, in milliseconds; NaN if no request was answered."""
        if not self.latencies_ms:
            return float("nan")
        return float(np.percentile(self.latencies_ms, percent))

    def text(self) -> str:
        """One-line summary."""
        answered = len(self.latencies_ms)
        percentiles = ", ".join(f"p{p} {self.percentile_ms(p):.1f} ms" for p in (50, 90, 99))
        return (
            f"{self.clients} clients, {self.seconds:.1f} s: {answered} answers "
            f"({answered / self.seconds:.1f} per second), {len(self.failures)} failures, "
            f"{self.differing} wrong; {percentiles}"
        )


def generate_load(
    make_client: Callable[[], SegmentationClient],
    images: np.ndarray,
    *,
    clients: int = 8,
    seconds: float = 60.0,
    expected: np.ndarray | None = None,
) -> LoadResult:
    """Sends the same images from `clients` threads, each with its own client.

    Args:
        make_client: Makes a client. It should not retry, because retries hide failures.
        images: uint8 images of shape `(batch, height, width, 3)`.
        clients: Number of concurrent clients.
        seconds: Seconds during which new requests start; running requests are awaited.
        expected: Class ids that every answer must equal; None skips the comparison.

    Raises:
        ValueError: `clients` or `seconds` is out of range, or `images` has a wrong dtype or shape.
    """
    if clients < 1 or seconds <= 0:
        raise ValueError(
            "`clients` must be at least 1 and `seconds` above 0. Received: "
            f"clients={clients}, seconds={seconds}"
        )
    begin = time.perf_counter()

    def ask() -> tuple[list[float], list[str], int]:
        latencies_ms, failures, differing = [], [], 0
        with make_client() as client:
            while (started := time.perf_counter()) < begin + seconds:
                try:
                    class_ids = client(images)
                except ServingError as error:
                    failures.append(str(error))
                    if len(failures) == _MAXIMUM_FAILURES:
                        break
                    continue
                latencies_ms.append(1e3 * (time.perf_counter() - started))
                differing += expected is not None and not np.array_equal(class_ids, expected)
        return latencies_ms, failures, differing

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        results = [each.result() for each in [pool.submit(ask) for _ in range(clients)]]
    return LoadResult(
        clients=clients,
        seconds=time.perf_counter() - begin,
        latencies_ms=tuple(latency for latencies, _, _ in results for latency in latencies),
        failures=tuple(failure for _, failures, _ in results for failure in failures),
        differing=sum(differing for _, _, differing in results),
    )
