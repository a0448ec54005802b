"""Values of two devices that share a batch against those of one device."""

import json
import subprocess
import sys

import numpy as np
import pytest

from keras_fasterseg import replicas
from tests.shared import ROOT


def test_one_device_adds_nothing():
    with replicas.together():
        assert (replicas.number(), replicas.count(), replicas.place_in_batch()) == (1, 1, 0)
        assert not replicas.synchronizes()
        assert replicas.take_block() is replicas.take_place() is None
        assert replicas.summed(3.0) == replicas.with_mean_value(3.0) == 3.0
        assert replicas.mean_of([1.0, 2.0]) == [1.0, 2.0]


@pytest.fixture(scope="module")
def found():
    """Values on one device, and of both devices with common statistics and without."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.local_replicas"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.backends("tensorflow")
def test_two_devices_compute_the_values_of_the_batch(found):
    for name, expected in found["alone"].items():
        first, second = (np.asarray(each[name]) for each in found["together"])
        if np.ndim(expected) == 4:
            # Of the images, each device has its half.
            first = np.concatenate([first, second])
        else:
            np.testing.assert_array_equal(first, second)
        # Sums over 192 float32 values of size 10, in another order.
        np.testing.assert_allclose(first, expected, rtol=2e-6, atol=2e-6, err_msg=name)


@pytest.mark.backends("tensorflow")
def test_hard_pixels_are_those_of_the_batch(found):
    losses = [found["alone"][name] for name in ("all_pixels", "hard_pixels", "more_than_hard")]
    assert losses[0] < losses[2] < losses[1]


@pytest.mark.backends("tensorflow")
def test_statistics_of_the_parts(found):
    means = [np.asarray(each["mean"]) for each in found["apart"]]
    np.testing.assert_allclose(np.mean(means, 0), found["alone"]["mean"], rtol=1e-5)
    assert np.abs(means[0] - means[1]).min() > 0.01
