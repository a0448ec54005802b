"""Dropout on one device; on several: tests/replicas_test.py."""

import keras
import numpy as np

from keras_fasterseg.layers.dropout import dropout

RATE, SIZE = 0.25, (4, 50, 50, 8)


def test_dropped_and_scaled():
    inputs = np.random.default_rng(0).normal(size=SIZE).astype("float32")
    found = np.asarray(dropout(inputs, RATE, keras.random.SeedGenerator(0)))
    kept = found != 0
    np.testing.assert_allclose(found[kept], inputs[kept] / (1 - RATE), rtol=1e-6)
    # Four deviations of a mean of 80,000 draws: 4 * sqrt(.25 * .75 / 80000).
    assert abs(kept.mean() - (1 - RATE)) < 0.0062


def test_draws_differ():
    ones, random = np.ones(SIZE, "float32"), keras.random.SeedGenerator(0)
    first, second = (np.asarray(dropout(ones, RATE, random)) for _ in range(2))
    assert (first != second).any()
