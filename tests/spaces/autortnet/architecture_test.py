import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.layers.gumbel_softmax import gumbel_noise
from keras_fasterseg.spaces.autortnet.architecture import AutoRTNetArchitecture, pruned
from keras_fasterseg.spaces.autortnet.pruning import StatePruning
from keras_fasterseg.spaces.autortnet.trellis import NORMAL, REDUCE, SKIP, STATES
from tests.conformance.architectures import gradients
from tests.spaces.autortnet.tiny import SETTINGS


def numpy(choices):
    return {name: ops.convert_to_numpy(each) for name, each in choices.items()}


def test_gates_of_the_coarsest_level_are_the_others_renormalised():
    found = numpy(AutoRTNetArchitecture(SETTINGS, seed=0)())
    expected = found["gates"][:, [STATES.index(NORMAL), STATES.index(SKIP)]]
    expected /= expected.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(found["coarsest"], expected, rtol=1e-5)


def test_sampled_gates_are_one_hot_and_operations_concrete():
    found = numpy(AutoRTNetArchitecture(SETTINGS, seed=0)(training=True, temperature=1.0))
    for name in ("gates", "coarsest"):
        np.testing.assert_allclose(np.sort(found[name])[:, :-1], 0, atol=1e-6)
        np.testing.assert_allclose(found[name].max(axis=-1), 1, atol=1e-6)
    kept = found["gates"].argmax(axis=-1) != STATES.index(REDUCE)
    chosen = np.array([0, 0, 1])[found["gates"].argmax(axis=-1)]
    np.testing.assert_array_equal(found["coarsest"].argmax(axis=-1)[kept], chosen[kept])
    for name in ("cells", "aggregation"):
        np.testing.assert_allclose(found[name].sum(axis=-1), 1, rtol=1e-5)
        assert found[name].max() < 1


@pytest.mark.backends("tensorflow", "jax")
def test_sampled_gates_have_the_gradient_of_soft_ones():
    architecture = AutoRTNetArchitecture(SETTINGS, seed=0)
    factors = np.random.default_rng(0).normal(size=(SETTINGS.cells, 3)).astype("float32")
    state = np.array(architecture.random.state)

    def value():
        return ops.sum(factors * architecture(training=True, temperature=0.7)["gates"])

    (found,) = gradients(value, [architecture.raw["gates"]])
    architecture.random.state.assign(state)
    noise = ops.convert_to_numpy(
        gumbel_noise(keras.random.uniform(factors.shape, seed=architecture.random))
    )
    logits = (np.array(architecture.raw["gates"]) + noise) / 0.7
    soft = np.exp(logits - logits.max(-1, keepdims=True))
    soft /= soft.sum(-1, keepdims=True)
    expected = soft * (factors - (soft * factors).sum(-1, keepdims=True)) / 0.7
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_pruning_removes_the_least_likely_state_of_all():
    left = np.ones((3, 3), bool)
    probabilities = np.array([[0.9, 0.08, 0.02], [0.94, 0.05, 0.01], [0.4, 0.3, 0.3]])
    expected = left.copy()
    for place in ((1, 2), (0, 2), (1, 1), (0, 1)):
        # A hyper-cell whose `skip` is gone keeps `normal`; here it is the likeliest anyway.
        left = pruned(left, probabilities, 0.1)
        expected[place] = False
        np.testing.assert_array_equal(left, expected)
    np.testing.assert_array_equal(pruned(left, probabilities, 0.1), left)


def test_a_likely_state_is_not_pruned():
    left = np.ones((1, 3), bool)
    np.testing.assert_array_equal(pruned(left, np.array([[0.8, 0.11, 0.09]]), 0.1), left)
    assert pruned(left, np.array([[0.8, 0.12, 0.08]]), 0.1).tolist() == [[True, True, False]]


def test_one_state_of_the_coarsest_level_is_always_left():
    left = np.ones((1, 3), bool)
    probabilities = np.array([[0.01, 0.97, 0.02]])
    for _ in range(4):
        left = pruned(left, probabilities, 0.1)
    assert left.tolist() == [[False, True, True]]


@pytest.mark.parametrize("seed", range(5))
def test_pruning_is_monotone_and_never_empties_a_group(seed):
    generator = np.random.default_rng(seed)
    left = np.ones((6, 3), bool)
    for _ in range(30):
        probabilities = generator.dirichlet(0.2 * np.ones(3), 6) * left
        after = pruned(left, probabilities / probabilities.sum(-1, keepdims=True), 0.5)
        assert not (after & ~left).any()
        assert (left.sum() - after.sum()) in (0, 1)
        assert after[:, [STATES.index(NORMAL), STATES.index(SKIP)]].any(axis=-1).all()
        left = after


def test_removed_states_have_no_probability_and_are_never_sampled():
    architecture = AutoRTNetArchitecture(SETTINGS, seed=0)
    left = np.ones((SETTINGS.cells, 3), bool)
    left[:, STATES.index(NORMAL)] = False
    architecture.left.assign(left)
    for training in (False, True):
        found = numpy(architecture(training=training))
        np.testing.assert_array_equal(found["gates"][:, STATES.index(NORMAL)], 0)
        np.testing.assert_array_equal(found["coarsest"], [[0, 1]] * SETTINGS.cells)


def test_states_are_removed_after_the_warmup_in_intervals():
    settings = dataclasses.replace(SETTINGS, pruning_warmup=2, pruning_interval=3)
    architecture = AutoRTNetArchitecture(settings, seed=0)
    values = np.tile([8.0, 0.0, 0.0], (settings.cells, 1)).astype("float32")
    architecture.raw["gates"].assign(values)
    callback, counts = StatePruning(architecture), []
    for epoch in range(9):
        logs = {}
        callback.on_epoch_end(epoch, logs)
        counts.append(int(logs["choices_left_gates"]))
    assert counts == [12, 11, 11, 11, 10, 10, 10, 9, 9]
