"""Mask-guided attention against its formula in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

from keras_fasterseg.video_objects.mask_guided_attention import MaskGuidedAttention, attended
from tests.layers.resize_test import resize_numpy


def random_inputs(mask_size: tuple[int, int] = (4, 6)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, 8, 12, 5)).astype("float32")
    return features, rng.random((2, *mask_size, 1)).astype("float32")


def attention_numpy(layer: MaskGuidedAttention, features, mask) -> np.ndarray:
    """`sigmoid(conv3x3([F, M]))` as a sum over the nine places of the kernel."""
    kernel, bias = (ops.convert_to_numpy(each) for each in layer.convolution.weights)
    height, width = features.shape[1:3]
    inputs = np.concatenate([features, resize_numpy(mask, (height, width))], axis=-1)
    padded = np.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    total = sum(
        padded[:, row : row + height, column : column + width] @ kernel[row, column]
        for row, column in np.ndindex(3, 3)
    )
    return 1 / (1 + np.exp(-(total + bias)))


def random_layer(seed: int = 0) -> MaskGuidedAttention:
    layer = MaskGuidedAttention()
    layer.build([(None, 8, 12, 5), (None, None, None, 1)])
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=each.shape) for each in layer.get_weights()])
    return layer


def test_no_attention_leaves_the_features():
    features, _ = random_inputs()
    result = attended(ops.convert_to_tensor(features), ops.zeros((2, 8, 12, 1)))
    assert ops.convert_to_numpy(result).tobytes() == features.tobytes()


def test_full_attention_doubles_the_features():
    features, _ = random_inputs()
    result = attended(ops.convert_to_tensor(features), ops.ones((2, 8, 12, 1)))
    np.testing.assert_array_equal(ops.convert_to_numpy(result), 2 * features)


def test_a_layer_that_sees_nothing_leaves_the_features():
    features, mask = random_inputs()
    layer = random_layer()
    kernel, bias = layer.get_weights()
    layer.set_weights([np.zeros_like(kernel), np.full_like(bias, -200)])
    result = ops.convert_to_numpy(layer([features, mask]))
    assert result.tobytes() == features.tobytes()


@pytest.mark.parametrize("mask_size", [(4, 6), (8, 12), (16, 24)])
def test_equals_the_formula(mask_size):
    features, mask = random_inputs(mask_size)
    layer = random_layer()
    attention = attention_numpy(layer, features, mask)
    result = ops.convert_to_numpy(layer.attention(*map(ops.convert_to_tensor, (features, mask))))
    np.testing.assert_allclose(result, attention, atol=1e-5)
    result = ops.convert_to_numpy(layer([features, mask]))
    np.testing.assert_allclose(result, features * (1 + attention), atol=5e-5)


def test_the_mask_matters():
    features, mask = random_inputs()
    layer = random_layer()
    first, second = (ops.convert_to_numpy(layer([features, each])) for each in (mask, 1 - mask))
    assert np.abs(first - second).max() > 0.1


def test_attention_is_between_zero_and_one():
    features, mask = random_inputs()
    layer = random_layer()
    values = layer.attention(*map(ops.convert_to_tensor, (100 * features, mask)))
    values = ops.convert_to_numpy(values)
    assert values.shape == (2, 8, 12, 1)
    assert values.min() >= 0
    assert values.max() <= 1


def test_config_round_trip_of_a_model(tmp_path):
    features, mask = random_inputs()
    inputs = [keras.Input(each.shape[1:]) for each in (features, mask)]
    model = keras.Model(inputs, MaskGuidedAttention(name="attention_4")(inputs))
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(restored.get_layer("attention_4"), MaskGuidedAttention)
    expected = ops.convert_to_numpy(model([features, mask]))
    np.testing.assert_array_equal(ops.convert_to_numpy(restored([features, mask])), expected)


class LayerContractTest(TestCase):
    def test_mask_guided_attention(self):
        self.run_layer_test(
            MaskGuidedAttention,
            init_kwargs={},
            input_shape=[(2, 8, 12, 5), (2, 4, 6, 1)],
            expected_output_shape=(2, 8, 12, 5),
            expected_num_trainable_weights=2,
            expected_num_non_trainable_weights=0,
            # Its data generator cannot describe a list of inputs to tf.data.
            run_training_check=False,
        )
