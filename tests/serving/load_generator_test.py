import threading

import numpy as np
import pytest

from keras_fasterseg.serving.client import SegmentationClient
from keras_fasterseg.serving.errors import ServingError
from keras_fasterseg.serving.load_generator import LoadResult, generate_load
from tests.stand_in import random_images

IMAGES = random_images(1, 32, 40)
ZEROS = np.zeros((1, 32, 40), np.uint8)


class FakeClient(SegmentationClient):
    """Answers zeros at once, or fails."""

    default_port = 8501
    made = 0
    closed = 0
    lock = threading.Lock()

    def __init__(self, error=None):
        super().__init__("here", "student")
        self.error = error
        with self.lock:
            FakeClient.made += 1

    def _predict(self, images):
        if self.error:
            raise self.error
        return np.zeros(images.shape[:3], np.uint8)

    def close(self):
        with self.lock:
            FakeClient.closed += 1


@pytest.fixture(autouse=True)
def counts():
    FakeClient.made = FakeClient.closed = 0


def test_every_client_asks_and_is_closed():
    result = generate_load(FakeClient, IMAGES, clients=3, seconds=0.1, expected=ZEROS)
    assert FakeClient.made == FakeClient.closed == result.clients == 3
    assert len(result.latencies_ms) >= 3
    assert not result.failures
    assert result.differing == 0
    assert result.seconds >= 0.1


def test_wrong_answers_are_counted():
    result = generate_load(FakeClient, IMAGES, clients=2, seconds=0.05, expected=ZEROS + 1)
    assert result.differing == len(result.latencies_ms) > 0


def test_failures_are_kept_and_a_client_stops_after_100():
    error = ServingError("refused")
    result = generate_load(lambda: FakeClient(error), IMAGES, clients=2, seconds=60.0)
    assert result.failures == ("refused",) * 200
    assert not result.latencies_ms
    assert np.isnan(result.percentile_ms(99))


def test_faults_of_ours_are_not_swallowed():
    with pytest.raises(ValueError, match="uint8"):
        generate_load(FakeClient, IMAGES[0], clients=2, seconds=1.0)


def test_percentiles_and_text():
    result = LoadResult(2, 10.0, tuple(float(n) for n in range(101)), ("gone",), 0)
    assert [result.percentile_ms(p) for p in (50, 90, 99)] == [50.0, 90.0, 99.0]
    assert result.text() == (
        "2 clients, 10.0 s: 101 answers (10.1 per second), 1 failures, 0 wrong; "
        "p50 50.0 ms, p90 90.0 ms, p99 99.0 ms"
    )


@pytest.mark.parametrize("options", [{"clients": 0}, {"seconds": 0.0}])
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="clients` must be at least 1"):
        generate_load(FakeClient, IMAGES, **options)
