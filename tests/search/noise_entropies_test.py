import keras
import numpy as np
import pytest

from keras_fasterseg.search.noise_entropies import noise_entropies
from keras_fasterseg.spaces.fasterseg.search_model import FasterSegSearch
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.joint.search_model import JointSearch
from tests.spaces.joint.tiny import SETTINGS as JOINT


@pytest.fixture(scope="module")
def undecided():
    return FasterSegSearch(FasterSegSettings(6, 2, (4 / 12, 8 / 12, 1.0)), 3, 0)


def weights(model):
    return [np.array(each) for one in model.architectures.values() for each in one.variables]


def test_noise_is_a_random_walk(undecided):
    """Steps of the learning rate with random signs: after n steps, logits N(0, n * rate ** 2)."""
    before = weights(undecided)
    found = [noise_entropies(undecided, 0.1, 0.5, 30, 10, seed)["student"] for seed in range(8)]
    assert {len(each) for each in found} == {10}
    for epoch in (0, 9):
        logits = np.random.default_rng(0).normal(0, 0.1 * np.sqrt(30 * (epoch + 1)), (10000, 5))
        shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        expected = -np.mean(np.sum(shares * np.log(shares), axis=-1)) / np.log(5)
        mean = np.mean([each[epoch]["alpha"] for each in found])
        # 8 x 15 rows; the standard error of their mean is about .02.
        assert mean == pytest.approx(expected, abs=0.05)
    for value, old in zip(weights(undecided), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_small_rates_decide_nothing(undecided):
    found = noise_entropies(undecided, 3e-4, 0.5, steps_per_epoch=30, epochs=10)
    assert found["student"][-1]["alpha"] > 0.99


def test_equal_seeds_give_equal_entropies(undecided):
    first, second, third = (
        noise_entropies(undecided, 0.1, 0.5, steps_per_epoch=3, epochs=2, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == second != third


def test_it_is_what_keras_adam_does(undecided):
    """Two steps, the second of which has momentum."""
    noise = np.random.default_rng(0)
    architectures = list(undecided.architectures.values())
    variables = [each for one in architectures for each in one.trainable_variables]
    before = [np.array(each) for each in variables]
    optimizer = keras.optimizers.Adam(0.1, beta_1=0.5)
    for _ in range(2):
        gradients = [noise.standard_normal(each.shape).astype("float32") for each in variables]
        optimizer.apply(gradients, variables)
    expected = undecided.entropies("student")
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    found = noise_entropies(undecided, 0.1, 0.5, steps_per_epoch=2, epochs=1)
    assert found["student"][0] == pytest.approx(expected, abs=1e-5)


def test_spaces_whose_teacher_is_fixed():
    found = noise_entropies(JointSearch(JOINT, 3, 0), 0.1, 0.5, steps_per_epoch=3, epochs=1)
    assert found["teacher"] == [{}]
    assert set(found["student"][0]) <= {"depth", "operation", "middle", "last"}
