"""Derived networks train alike on every backend, and continue each other's checkpoints."""

import numpy as np
import pytest

from tests.backends.trainings import (
    BEFORE,
    RESUMED,
    TRAININGS,
    checkpoint,
    logs_of,
    make_trainer,
    recorded,
)

# Sums in another order: differences of 1e-6 in the first step, which training amplifies.
TOLERANCE = 1e-4


def assert_recorded(logs, name, first=0):
    expected = recorded(name)
    assert set(logs) == set(expected)
    for metric, values in logs.items():
        span = slice(first, first + len(values))
        largest = np.abs(expected[metric]).max()
        np.testing.assert_allclose(
            values, expected[metric][span], rtol=0, atol=TOLERANCE * largest, err_msg=metric
        )


@pytest.mark.parametrize("name", TRAININGS)
def test_losses_of_twenty_steps_are_those_of_tensorflow(name):
    logs = logs_of(name, make_trainer(name))
    assert_recorded(logs, name)
    assert logs["loss"][-1] < logs["loss"][0]


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
@pytest.mark.parametrize("name", RESUMED[:-1])
def test_a_checkpoint_of_any_backend_continues(name, backend):
    trainer = make_trainer(name)
    trainer.load_weights(checkpoint(name, backend))
    assert_recorded(logs_of(name, trainer, BEFORE, 4), name, BEFORE)
