"""Supernets train alike on TensorFlow and JAX, and continue each other's checkpoints."""

import numpy as np
import pytest

from tests.backends.training_test import assert_recorded
from tests.backends.trainings import (
    BEFORE,
    STEPS,
    SUPERNETS,
    checkpoint,
    logs_of,
    make_trainer,
    momentum_norms,
    recorded,
)

# Adam's steps do not depend on the size of a gradient. Of FasterSeg's many small ones some are
# roundoff, which changes later losses by up to 7e-4; of those of gas, too, by up to 1e-3.
COMPARED = {"search fasterseg": 6, "search gas": 3}


@pytest.mark.parametrize("name", SUPERNETS)
def test_losses_are_those_of_tensorflow(name):
    trainer = make_trainer(name)
    assert_recorded(logs_of(name, trainer, 0, 1), name)
    if name.startswith("search"):
        # Small gradients are sums of large terms: 1e-3 of the largest is noise of float32.
        expected = np.array(recorded(f"momentum of {name}"))
        np.testing.assert_allclose(
            momentum_norms(trainer), expected, rtol=5e-3, atol=1e-4 * expected.max()
        )
    assert_recorded(logs_of(name, trainer, 1, COMPARED.get(name, STEPS) - 1), name, first=1)


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_checkpoint_of_a_search_continues(backend):
    trainer = make_trainer("search toy")
    trainer.load_weights(checkpoint("search toy", backend))
    logs = logs_of("search toy", trainer, BEFORE, 4)
    assert_recorded(logs, "search toy", BEFORE)
