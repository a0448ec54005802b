import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.spaces.gas.guidance import GraphGuidance


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(4, 5, 8)).astype("float32")


@pytest.fixture
def guidance():
    keras.utils.set_random_seed(0)
    layer = GraphGuidance(64, 0.5)
    layer.build((4, 5, 8))
    layer.outward_kernel.assign(keras.random.normal((64, 8)))
    return layer


def softmax(values):
    values = np.exp(values - values.max(axis=-1, keepdims=True))
    return values / values.sum(axis=-1, keepdims=True)


def test_it_is_its_formula_with_the_raw_logits_of_the_cell_before(logits, guidance):
    own, previous, inward, convolution, outward = (
        np.asarray(getattr(guidance, f"{name}_kernel"), "float64")
        for name in ("own", "previous", "inward", "convolution", "outward")
    )
    expected = [logits[0]]
    for a, b in zip(logits[1:], logits[:-1], strict=True):
        adjacency = softmax((a @ own) @ (b @ previous).T)
        x = b @ inward
        expected.append(a + 0.5 * (adjacency @ x @ convolution + x) @ outward)
    found = ops.convert_to_numpy(guidance(logits))
    # Sums of 64 products in float32.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_numbers_of_weights(guidance):
    assert sum(int(np.prod(each.shape)) for each in guidance.weights) == 5248


def test_without_weight_the_logits_stay(logits):
    layer = GraphGuidance(64, 0.0)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(logits)), logits)


def test_rows_of_the_adjacency_add_up_to_one(logits, guidance):
    found = ops.convert_to_numpy(guidance.adjacency(logits[1:], logits[:-1]))
    assert found.shape == (3, 5, 5)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-6)
    assert found.std() > 0.01


def test_equal_rows_before_count_equally(logits, guidance):
    before = np.repeat(logits[:1, :1], 5, axis=1)
    found = ops.convert_to_numpy(guidance.adjacency(logits[1:2], before))
    np.testing.assert_allclose(found, 1 / 5, rtol=1e-5)


def test_the_order_of_the_edges_before_does_not_matter_to_the_mixture(logits, guidance):
    order = [3, 0, 4, 1, 2]
    mixed = []
    for before in (logits[:1], logits[:1, order]):
        x = np.asarray(before) @ np.asarray(guidance.inward_kernel)
        adjacency = ops.convert_to_numpy(guidance.adjacency(logits[1:2], before))
        mixed.append(adjacency @ x)
    np.testing.assert_allclose(*mixed, rtol=1e-5, atol=1e-6)


def test_it_starts_small(logits):
    layer = GraphGuidance(64, 0.5)
    message = ops.convert_to_numpy(layer(np.ones_like(logits))) - 1
    assert 0 < np.abs(message).max() < 0.1
    assert GraphGuidance.from_config(layer.get_config()).get_config() == layer.get_config()
