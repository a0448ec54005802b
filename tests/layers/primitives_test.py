"""The primitives against the reference implementation, and sliced against masked."""

import functools

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from keras_fasterseg.layers.primitives import (
    PRIMITIVES,
    ConvPrimitive,
    FactorizedReduce,
    make_primitive,
)
from tests.layers.released_weights import (
    WIDTHS,
    assert_close_to_size,
    below,
    entries,
    entry_value,
    gradients,
    load,
    one_hot_width,
    primitive_parts,
    to_ours,
    widen,
    width_index,
)
from tests.shared import assert_known, load_fixture

OUTPUT_TOLERANCE = 1e-4
# Sums of up to 256 pixels and 432 products in float32, once more rounded by the normalisation's
# backward pass, which subtracts two of them: some hundred ulps of the largest entry.
GRADIENT_TOLERANCE = 2e-5

# The fixtures hold no kernel of stride 2 wider than 8/12.
RATIOS = {1: ("6_8", "8_4", "12_12"), 2: ("6_8", "8_4")}
ALL = [(primitive, strides) for primitive in PRIMITIVES for strides in (1, 2)]
WITH_WEIGHTS = [case for case in ALL if case != ("skip", 1)]


@functools.cache
def fixture(primitive: str) -> dict[str, np.ndarray]:
    return load_fixture(f"prim_{primitive}")


def slimmable(primitive: str, strides: int) -> keras.layers.Layer:
    layer = make_primitive(primitive, 48 * strides, strides, WIDTHS)
    layer.build((None, 8, 16, 48))
    load(primitive_parts(layer), below(fixture(primitive), f"s{strides}/slim/w/"))
    return layer


def plain(primitive: str, strides: int) -> keras.layers.Layer:
    layer = make_primitive(primitive, 40, strides)
    layer.build((None, None, None, 24))
    load(primitive_parts(layer), below(fixture(primitive), f"s{strides}/plain/w/"))
    return layer


@pytest.mark.parametrize(("primitive", "strides"), ALL)
def test_slimmable_equals_the_reference_sliced_and_masked(primitive, strides):
    layer = slimmable(primitive, strides)
    for ratio in RATIOS[strides]:
        case = below(fixture(primitive), f"s{strides}/slim/r{ratio}/")
        index = width_index(ratio.split("_")[1])
        inputs, expected = case["x_nhwc"], case["y_eval_nhwc"]
        sliced = layer(inputs, width=index)
        masked = layer(widen(inputs, 48), width=one_hot_width(index))
        assert_known(sliced, expected, atol=OUTPUT_TOLERANCE)
        assert_known(masked, widen(expected, 48 * strides), atol=OUTPUT_TOLERANCE, err_msg=ratio)
        if ratio.endswith("_12"):
            np.testing.assert_array_equal(layer(inputs), sliced)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("primitive", "strides"), ALL)
def test_slimmable_training_equals_the_released_code(primitive, strides, masked):
    layer = slimmable(primitive, strides)
    parts = primitive_parts(layer)
    case = below(fixture(primitive), f"s{strides}/slim/train_r6_8/")
    inputs, cotangent = case["x_nhwc"], case["g_nhwc"]
    index, active_inputs, active = width_index(8), inputs.shape[-1], cotangent.shape[-1]
    width = index
    if masked:
        inputs, cotangent = widen(inputs, 48), widen(cotangent, 48 * strides)
        width = one_hot_width(index)
    outputs, by_input, by_variable = gradients(
        parts, inputs, cotangent, lambda x: layer(x, width=width, training=True)
    )
    assert_known(outputs[..., :active], case["y_train_nhwc"], atol=OUTPUT_TOLERANCE)
    assert not outputs[..., active:].any()
    assert_close_to_size(by_input[..., :active_inputs], case["dx_nhwc"], GRADIENT_TOLERANCE)
    for name, variable, row in entries(parts):
        if variable.trainable and row not in (None, index):
            assert not by_variable[variable.path][row].any()
        elif variable.trainable:
            expected = to_ours(case[f"dw/{name}"])
            actual = entry_value(by_variable[variable.path], row, expected.size)
            assert_close_to_size(actual, expected, GRADIENT_TOLERANCE, name)
        else:
            expected = case[f"bn_after/{name}"]
            actual = entry_value(variable, row, expected.size)
            np.testing.assert_allclose(actual, expected, atol=1e-6, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize(("primitive", "strides"), WITH_WEIGHTS)
def test_plain_equals_the_reference_at_odd_sizes(primitive, strides):
    layer = plain(primitive, strides)
    image = keras.Input((None, None, 24))
    dynamic = keras.Model(image, layer(image))
    size = "even" if primitive == "skip" else "odd"
    case = below(fixture(primitive), f"s{strides}/plain/{size}/")
    inputs, expected = case["x_nhwc"], case["y_eval_nhwc"]
    assert layer.compute_output_shape(inputs.shape) == expected.shape
    assert_known(layer(inputs), expected, atol=OUTPUT_TOLERANCE)
    assert_known(dynamic.predict(inputs, verbose=0), expected, atol=OUTPUT_TOLERANCE)


@pytest.mark.parametrize(("primitive", "strides"), WITH_WEIGHTS)
def test_plain_training_equals_the_released_code(primitive, strides):
    layer = plain(primitive, strides)
    parts = primitive_parts(layer)
    case = below(fixture(primitive), f"s{strides}/plain/train/")
    outputs, by_input, by_variable = gradients(
        parts, case["x_nhwc"], case["g_nhwc"], lambda x: layer(x, training=True)
    )
    assert_known(outputs, case["y_train_nhwc"], atol=OUTPUT_TOLERANCE)
    assert_close_to_size(by_input, case["dx_nhwc"], GRADIENT_TOLERANCE)
    for name, variable, _ in entries(parts):
        if variable.trainable:
            expected = to_ours(case[f"dw/{name}"])
            assert_close_to_size(by_variable[variable.path], expected, GRADIENT_TOLERANCE, name)
            continue
        after = keras.ops.convert_to_numpy(variable)
        expected = case[f"bn_after/{name}"]
        np.testing.assert_allclose(after, expected, atol=1e-6, rtol=1e-6, err_msg=name)


def test_skip_of_stride_1_is_the_identity_of_a_derived_network():
    inputs = np.random.default_rng(0).normal(size=(2, 15, 29, 24)).astype("float32")
    np.testing.assert_array_equal(make_primitive("skip", 24)(inputs, training=True), inputs)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("filters", [40, 36])
@pytest.mark.parametrize(("primitive", "strides"), ALL)
def test_sliced_equals_masked_where_rounding_bites(primitive, strides, filters, training):
    # 40 filters: 16, 24, 24, 32, 40. 36 filters: 16, 16, 24, 32 and 36, where 40 is the nearest.
    active_by_width = {40: (16, 24, 24, 32, 40), 36: (16, 16, 24, 32, 36)}[filters]
    layer = make_primitive(primitive, filters, strides, WIDTHS)
    layer.build((None, 4, 8, 16))
    generator = np.random.default_rng(filters)
    inputs = generator.normal(size=(2, 4, 8, 8)).astype("float32")
    start = [variable.numpy() for variable in layer.non_trainable_variables]
    for index, active in enumerate(active_by_width):
        outputs, statistics = [], []
        for x, width in ((inputs, index), (widen(inputs, 16), one_hot_width(index))):
            for variable, value in zip(layer.non_trainable_variables, start, strict=True):
                variable.assign(value)
            outputs.append(layer(x, width=width, training=training).numpy())
            statistics.append([variable.numpy() for variable in layer.non_trainable_variables])
        assert outputs[0].shape[-1] == active
        np.testing.assert_allclose(widen(outputs[0], filters), outputs[1], atol=1e-5)
        for sliced, masked in zip(*statistics, strict=True):
            np.testing.assert_allclose(sliced[index, :active], masked[index, :active], atol=1e-6)
            np.testing.assert_array_equal(
                np.delete(sliced, index, axis=0), np.delete(masked, index, axis=0)
            )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(("primitive", "strides"), ALL)
def test_sliced_and_masked_stay_near_the_reference_in_half_precision(primitive, strides, policy):
    layer = make_primitive(primitive, 48 * strides, strides, WIDTHS, dtype=policy)
    layer.build((None, 8, 16, 48))
    load(primitive_parts(layer), below(fixture(primitive), f"s{strides}/slim/w/"))
    case = below(fixture(primitive), f"s{strides}/slim/r6_8/")
    expected = case["y_eval_nhwc"]
    # A handful of roundings to 11 and 8 bits, spread over the sums of two convolutions.
    tolerance = {"mixed_float16": 2**-8, "mixed_bfloat16": 2**-5}[policy]
    index = width_index(8)
    for x, width in (
        (case["x_nhwc"], index),
        (widen(case["x_nhwc"], 48), one_hot_width(index)),
    ):
        outputs = layer(x, width=width)
        assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
        outputs = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
        assert_close_to_size(outputs[..., : expected.shape[-1]], expected, tolerance)
        assert not outputs[..., expected.shape[-1] :].any()


@pytest.mark.parametrize(("primitive", "strides"), ALL)
def test_symbolic_output_has_the_channels_of_the_width(primitive, strides):
    layer = make_primitive(primitive, 48, strides, WIDTHS)
    image = keras.Input((8, 16, 48))
    size = (None, 8 // strides, 16 // strides)
    assert layer(image, width=1).shape == (*size, 24)
    assert layer(image).shape == (*size, 48)
    assert layer(image, width=keras.Input(batch_shape=(5,))).shape == (*size, 48)


@pytest.mark.parametrize("primitive", ["conv_downup", "conv_2x_downup"])
def test_a_zoomed_operation_takes_a_single_pixel(primitive):
    """1/32 of the smallest image: half of it is itself."""
    layer = make_primitive(primitive, 8)
    pixel = np.ones((1, 1, 1, 4), "float32")
    zoomed = layer(pixel)
    assert zoomed.shape == (1, 1, 1, 8)
    plain = make_primitive(primitive.removesuffix("_downup"), 8)
    plain.build(pixel.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(zoomed, plain(pixel), atol=1e-6)


def test_unknown_primitive_is_refused():
    with pytest.raises(ValueError, match=r"one of \('skip',.*Received: 'conv_3x'"):
        make_primitive("conv_3x", 8)


@pytest.mark.parametrize(("strides", "convolutions"), [(3, 1), (1, 3)])
def test_other_strides_and_counts_are_refused(strides, convolutions):
    with pytest.raises(ValueError, match=f"strides={strides}, convolutions={convolutions}"):
        ConvPrimitive(8, strides, convolutions)


def test_factorized_reduce_refuses_what_it_cannot_halve():
    with pytest.raises(ValueError, match="filters=5"):
        FactorizedReduce(5)
    with pytest.raises(ValueError, match="width_multipliers"):
        FactorizedReduce(8, (1.0, 0.5))
    for widths in (None, WIDTHS):
        with pytest.raises(ValueError, match=r"even height and width.*\(1, 3, 4, 8\)"):
            FactorizedReduce(8, widths)(np.zeros((1, 3, 4, 8), "float32"))


class LayerContractTest(TestCase):
    def test_conv_primitive(self):
        self.run_layer_test(
            ConvPrimitive,
            init_kwargs={"filters": 8, "convolutions": 2, "zoomed": True},
            input_shape=(2, 5, 6, 3),
            expected_output_shape=(2, 5, 6, 8),
            expected_num_trainable_weights=6,
            expected_num_non_trainable_weights=4,
        )

    def test_slimmable_conv_primitive(self):
        self.run_layer_test(
            ConvPrimitive,
            init_kwargs={"filters": 16, "strides": 2, "width_multipliers": (0.5, 1.0)},
            input_shape=(2, 4, 6, 3),
            expected_output_shape=(2, 2, 3, 16),
            expected_num_trainable_weights=3,
            expected_num_non_trainable_weights=2,
        )

    def test_factorized_reduce(self):
        self.run_layer_test(
            FactorizedReduce,
            init_kwargs={"filters": 8},
            input_shape=(2, 4, 6, 3),
            expected_output_shape=(2, 2, 3, 8),
            expected_num_trainable_weights=4,
            expected_num_non_trainable_weights=2,
        )

    def test_slimmable_factorized_reduce(self):
        self.run_layer_test(
            FactorizedReduce,
            init_kwargs={"filters": 16, "width_multipliers": (0.5, 1.0)},
            input_shape=(2, 4, 6, 3),
            expected_output_shape=(2, 2, 3, 16),
            expected_num_trainable_weights=4,
            expected_num_non_trainable_weights=2,
        )
