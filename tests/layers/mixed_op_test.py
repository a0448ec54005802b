"""MixedOp against the reference's MixedOp, values and gradients."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.testing import TestCase

from keras_fasterseg.layers.gumbel_softmax import straight_through_gate
from keras_fasterseg.layers.mixed_op import MixedOp
from tests.layers.released_weights import (
    WIDTHS,
    assert_close_to_size,
    below,
    load,
    mixed_op_parts,
    one_hot_width,
    widen,
    width_index,
)
from tests.shared import assert_known, load_fixture

OUTPUT_TOLERANCE = 1e-4
# Sums over up to 6144 outputs in float32 of products that largely cancel.
GRADIENT_TOLERANCE = 2e-5


@functools.cache
def fixture() -> dict[str, np.ndarray]:
    return below(load_fixture("mixedop"), "mixed_s1/")


@functools.cache
def mixed_op(dtype: str = "float32") -> MixedOp:
    layer = MixedOp(48, 1, WIDTHS, dtype=dtype)
    layer.build((None, 8, 16, 48))
    load(mixed_op_parts(layer), below(fixture(), "w/"))
    return layer


def sliced_and_masked(inputs, cotangent, width):
    """`(inputs, cotangent, width)` both ways."""
    return [
        (inputs, cotangent, width),
        (widen(inputs, 48), widen(cotangent, 48), one_hot_width(width)),
    ]


@pytest.mark.parametrize("ratio", ["8_6", "12_4"])
def test_values_and_gradients_equal_the_released_code(ratio):
    layer = mixed_op()
    case = below(fixture(), f"float_r{ratio}/")
    expected, by_input = case["y_eval_nhwc"], case["dx_nhwc"]
    width = width_index(ratio.split("_")[1])
    for x, g, choice in sliced_and_masked(case["x_nhwc"], case["g_nhwc"], width):
        x, alpha = tf.constant(x), tf.constant(case["alpha_logits"])
        with tf.GradientTape() as tape:
            tape.watch([x, alpha])
            weights = keras.ops.softmax(alpha)
            outputs = layer(x, weights, width=choice)
            total = tf.reduce_sum(outputs * g)
        gradient, alpha_gradient = tape.gradient(total, [x, alpha])
        np.testing.assert_allclose(weights, case["weights_softmax"], atol=1e-6)
        assert_known(outputs, widen(expected, outputs.shape[-1]), atol=OUTPUT_TOLERANCE)
        assert_close_to_size(gradient[..., : by_input.shape[-1]], by_input, GRADIENT_TOLERANCE)
        assert_close_to_size(alpha_gradient, case["dalpha_logits"], GRADIENT_TOLERANCE)


def test_sampled_widths_get_the_gradient_of_the_released_code():
    layer = mixed_op()
    case = below(fixture(), "tensor_r6_10/")
    expected, width = case["y_eval_nhwc"], width_index(10)
    for x, g, choice in sliced_and_masked(case["x_nhwc"], case["g_nhwc"], width):
        sources = [tf.constant(case[name]) for name in ("alpha_logits", "score_in", "score_out")]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            alpha, score_in, score_out = sources
            gates = straight_through_gate(score_in) * straight_through_gate(score_out)
            # What the supernet hands on: a one-hot width is the sample itself.
            choice = choice if isinstance(choice, int) else score_out
            outputs = layer(x, keras.ops.softmax(alpha) * gates, width=choice)
            total = tf.reduce_sum(outputs * g)
        assert_known(outputs, widen(expected, outputs.shape[-1]), atol=OUTPUT_TOLERANCE)
        for gradient, name in zip(
            tape.gradient(total, sources),
            ("dalpha_logits", "dscore_in", "dscore_out"),
            strict=True,
        ):
            assert_close_to_size(gradient, case[name], GRADIENT_TOLERANCE, name)


@pytest.mark.parametrize("strides", [1, 2])
def test_one_hot_weights_choose_one_primitive(strides):
    layer = MixedOp(16, strides, (0.5, 1.0))
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 16)).astype("float32")
    for index, primitive in enumerate(layer.primitives):
        np.testing.assert_array_equal(
            layer(inputs, np.eye(5, dtype="float32")[index]), primitive(inputs)
        )


def test_training_updates_the_statistics_of_every_primitive():
    layer = MixedOp(16, 1, (0.5, 1.0))
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 16)).astype("float32")
    layer.build(inputs.shape)
    before = [variable.numpy() for variable in layer.non_trainable_variables]
    layer(inputs, np.eye(5, dtype="float32")[0], width=0, training=True)
    for old, variable in zip(before, layer.non_trainable_variables, strict=True):
        assert (old[0, :8] != variable.numpy()[0, :8]).all()
        np.testing.assert_array_equal(old[1], variable.numpy()[1])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_stays_near_the_released_code(policy):
    layer = mixed_op(policy)
    case = below(fixture(), "float_r8_6/")
    expected = case["y_eval_nhwc"]
    # A handful of roundings to 11 and 8 bits, spread over the sums of two convolutions.
    tolerance = {"mixed_float16": 2**-8, "mixed_bfloat16": 2**-5}[policy]
    for x, _, width in sliced_and_masked(case["x_nhwc"], case["g_nhwc"], width_index(6)):
        outputs = layer(x, case["weights_softmax"], width=width)
        assert keras.backend.standardize_dtype(outputs.dtype) == layer.compute_dtype
        outputs = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
        assert_close_to_size(outputs[..., : expected.shape[-1]], expected, tolerance)


def test_height_and_width_may_be_dynamic():
    layer = mixed_op()
    case = below(fixture(), "float_r8_6/")
    image = keras.Input((None, None, 48))
    weights, width = keras.Input(batch_shape=(5,)), keras.Input(batch_shape=(5,))
    outputs = layer(image, weights, width=width)
    assert outputs.shape == (None, None, None, 48)
    run = tf.function(
        keras.Model([image, weights, width], outputs),
        input_signature=[
            [tf.TensorSpec((None, None, None, 48)), tf.TensorSpec((5,)), tf.TensorSpec((5,))]
        ],
    )
    result = run([widen(case["x_nhwc"], 48), case["weights_softmax"], one_hot_width(1)])
    assert_known(result, widen(case["y_eval_nhwc"], 48), atol=OUTPUT_TOLERANCE)


def test_symbolic_output_has_the_channels_of_the_width():
    layer = MixedOp(48, 2, WIDTHS)
    image, weights = keras.Input((8, 16, 24)), keras.Input(batch_shape=(5,))
    assert layer(image, weights, width=1).shape == (None, 4, 8, 24)
    assert layer(image, weights).shape == (None, 4, 8, 48)
    assert layer.compute_output_shape((2, 8, None, 24)) == (2, 4, None, 48)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="width_multipliers"):
        MixedOp(16, 1, (1.0, 0.5))
    with pytest.raises(ValueError, match="strides=3"):
        MixedOp(16, 3)
    with pytest.raises(ValueError, match="width=5"):
        mixed_op()(np.ones((1, 4, 4, 48), "float32"), np.ones(5, "float32"), width=5)


class LayerContractTest(TestCase):
    def test_layer(self):
        self.run_layer_test(
            MixedOp,
            init_kwargs={"filters": 16, "strides": 2, "width_multipliers": (0.5, 1.0)},
            input_shape=(2, 4, 6, 8),
            call_kwargs={"weights": np.full(5, 0.2, "float32")},
            expected_output_shape=(2, 2, 3, 16),
            expected_num_trainable_weights=22,
            expected_num_non_trainable_weights=14,
            # Its models call the layer with the inputs alone.
            run_training_check=False,
            run_mixed_precision_check=False,
        )
