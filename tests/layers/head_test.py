"""The head against the reference implementation."""

import functools

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from keras_fasterseg.layers.head import Head, head_filters
from tests.layers.released_weights import (
    assert_close_to_size,
    below,
    conv_batch_norm_parts,
    load,
    to_ours,
)
from tests.shared import assert_known, load_fixture


@functools.cache
def fixture() -> dict[str, np.ndarray]:
    return below(load_fixture("ffm_head"), "head_c64/")


def released_head(**kwargs) -> Head:
    weights = below(fixture(), "w/")
    layer = Head(19, **kwargs)
    layer.build((None, None, None, 64))
    load(conv_batch_norm_parts(layer.convolution, "conv_3x3.conv", "conv_3x3.bn"), weights)
    layer.classifier.kernel.assign(to_ours(weights["conv_1x1.weight"]))
    layer.classifier.bias.assign(weights["conv_1x1.bias"])
    return layer


def test_equals_the_released_code():
    case, layer = fixture(), released_head()
    assert head_filters(64) == layer.convolution.filters == case["mid_planes"]
    assert_known(layer(case["x_nhwc"]), case["y_eval_nhwc"], atol=1e-4)


def test_height_and_width_may_be_dynamic():
    case = fixture()
    image = keras.Input((None, None, 64))
    model = keras.Model(image, released_head()(image))
    assert model.output_shape == (None, None, None, 19)
    assert_known(model.predict(case["x_nhwc"], verbose=0), case["y_eval_nhwc"], atol=1e-4)


def test_dropout_zeroes_features_in_training_only():
    features = np.ones((2, 8, 8, 64), "float32")
    layer = Head(1, hidden=False, dropout=0.75)
    layer.build(features.shape)
    layer.classifier.kernel.assign(np.ones((1, 1, 64, 1)))
    np.testing.assert_allclose(layer(features), 64.0)
    kept = keras.ops.convert_to_numpy(layer(features, training=True)) / 4
    # Each logit counts the features that were kept, which are multiplied by 4.
    np.testing.assert_array_equal(kept, np.round(kept))
    # A quarter of 64; 128 sums of 64 draws have a standard error of .31.
    assert kept.mean() == pytest.approx(16, abs=1.2)
    assert kept.std() > 2
    again = keras.ops.convert_to_numpy(layer(features, training=True)) / 4
    assert (again != kept).any()
    assert Head.from_config(layer.get_config()).dropout == 0.75
    with pytest.raises(ValueError, match="`dropout` must be at least 0 and below 1"):
        Head(1, dropout=1.0)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_logits_are_float32_in_half_precision(policy):
    case = fixture()
    outputs = released_head(dtype=policy)(case["x_nhwc"])
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32"
    # Roundings to 11 and 8 bits in the sums of one convolution.
    tolerance = {"mixed_float16": 2**-8, "mixed_bfloat16": 2**-5}[policy]
    assert_close_to_size(outputs, case["y_eval_nhwc"], tolerance)


@pytest.mark.parametrize(
    ("channels", "filters"), [(8, 8), (256, 256), (257, 128), (264, 132), (512, 256)]
)
def test_filters_are_halved_past_256(channels, filters):
    assert head_filters(channels) == filters


def test_needs_a_class():
    with pytest.raises(ValueError, match="Received: 0"):
        Head(0)


def test_without_hidden_convolution_is_a_convolution_of_each_pixel():
    layer, images = Head(3, hidden=False), np.random.default_rng(0).normal(size=(2, 4, 5, 8))
    layer.build(images.shape)
    layer.classifier.bias.assign([1.0, 2.0, 3.0])
    expected = images @ layer.classifier.kernel.numpy()[0, 0] + [1, 2, 3]
    # Sums of eight products in float32.
    np.testing.assert_allclose(layer(images), expected, atol=1e-5)
    assert len(layer.weights) == 2


class LayerContractTest(TestCase):
    def test_layer(self):
        self.run_layer_test(
            Head,
            init_kwargs={"num_classes": 3},
            input_shape=(2, 4, 5, 8),
            expected_output_shape=(2, 4, 5, 3),
            expected_output_dtype="float32",
            expected_num_trainable_weights=5,
            expected_num_non_trainable_weights=2,
        )

    def test_without_hidden_convolution(self):
        self.run_layer_test(
            Head,
            init_kwargs={"num_classes": 3, "hidden": False},
            input_shape=(2, 4, 5, 8),
            expected_output_shape=(2, 4, 5, 3),
            expected_output_dtype="float32",
            expected_num_trainable_weights=2,
            expected_num_non_trainable_weights=0,
        )
