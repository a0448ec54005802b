"""The operations of cells against their definitions in NumPy."""

import numpy as np
import pytest
from keras import ops

from keras_fasterseg.layers.cell_operations import (
    CELL_OPERATIONS,
    CellConvolution,
    CellPooling,
    CellReduction,
    SeparableCellConvolution,
    make_cell_operation,
)

EPSILON = 1e-5
LAYERS = [name for name in (*CELL_OPERATIONS, "conv_1x1") if name != "zero"]


def convolved(inputs, kernel, strides=1, dilation=1):
    """Zero padding of `dilation` for a side of 3; `kernel`: `(side, side, channels, filters)`."""
    side = kernel.shape[0]
    margin = dilation * (side // 2)
    padded = np.pad(inputs, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    rows, columns = (-(-size // strides) for size in inputs.shape[1:3])
    total = 0.0
    for row in range(side):
        for column in range(side):
            y, x = row * dilation, column * dilation
            part = padded[:, y : y + strides * rows : strides, x : x + strides * columns : strides]
            total = total + part[:, :rows, :columns] @ kernel[row, column]
    return total


def separable(inputs, depthwise, pointwise, strides, dilation):
    diagonal = depthwise[..., 0][..., None] * np.eye(depthwise.shape[2])
    outputs = convolved(np.maximum(inputs, 0), diagonal, strides, dilation)
    return convolved(outputs, pointwise) / np.sqrt(1 + EPSILON)


@pytest.fixture
def inputs():
    return np.random.default_rng(0).normal(size=(2, 12, 16, 6)).astype("float32")


def assert_equal(found, expected):
    # Sums of at most 54 products.
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("side", [1, 3])
def test_a_convolution_is_relu_convolution_and_normalization(inputs, side, strides):
    layer = CellConvolution(4, side, strides)
    found = layer(inputs)
    expected = convolved(np.maximum(inputs, 0), np.asarray(layer.kernel), strides)
    assert_equal(found, expected / np.sqrt(1 + EPSILON))


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize(("dilation", "repeats"), [(1, 1), (1, 2), (2, 1), (4, 1), (8, 1)])
def test_a_separable_convolution_convolves_channels_then_pixels(inputs, strides, dilation, repeats):
    layer = SeparableCellConvolution(6, strides, dilation, repeats)
    found, expected = layer(inputs), inputs
    for depthwise, pointwise in layer.kernels:
        expected = separable(
            expected, np.asarray(depthwise), np.asarray(pointwise), strides, dilation
        )
        strides = 1
    assert len(layer.kernels) == repeats
    assert_equal(found, expected)


@pytest.mark.parametrize("strides", [1, 2])
def test_a_pool_takes_the_largest_of_nine(inputs, strides):
    before, after = (1, 1) if strides == 1 else (0, 1)
    padding = ((0, 0), (before, after), (before, after), (0, 0))
    padded = np.pad(inputs, padding, constant_values=-np.inf)
    rows, columns = (size // strides for size in inputs.shape[1:3])
    parts = [
        padded[:, y : y + strides * rows : strides, x : x + strides * columns : strides]
        for y in range(3)
        for x in range(3)
    ]
    expected = np.max([part[:, :rows, :columns] for part in parts], axis=0)
    assert_equal(CellPooling(strides)(inputs), expected / np.sqrt(1 + EPSILON))


@pytest.mark.parametrize("training", [False, True])
def test_a_reduction_reads_even_and_odd_pixels(inputs, training):
    layer = CellReduction(4)
    found, active = layer(inputs, training=training), np.maximum(inputs, 0)
    even, odd = (np.asarray(kernel)[0, 0] for kernel in layer.kernels)
    expected = np.concatenate([active[:, ::2, ::2] @ even, active[:, 1::2, 1::2] @ odd], axis=-1)
    mean, variance = expected.mean((0, 1, 2)), expected.var((0, 1, 2))
    if not training:
        mean, variance = 0.0, 1.0
    assert_equal(found, (expected - mean) / np.sqrt(variance + EPSILON))


def test_a_skip_of_stride_1_is_the_input_itself(inputs):
    assert_equal(make_cell_operation("skip", 6)(inputs), inputs)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_operations_have_a_shape_and_survive_their_config(inputs, name, strides, affine):
    layer = make_cell_operation(name, 6, strides, affine)
    outputs = layer(inputs, training=True)
    assert tuple(outputs.shape) == (2, 12 // strides, 16 // strides, 6)
    assert tuple(layer.compute_output_shape(inputs.shape)) == tuple(outputs.shape)
    copy = type(layer).from_config(layer.get_config())
    copy.build(inputs.shape)
    assert [tuple(each.shape) for each in copy.variables] == [
        tuple(each.shape) for each in layer.variables
    ]
    vectors = [each for each in layer.trainable_variables if len(each.shape) == 1]
    assert bool(vectors) == (affine and bool(layer.variables))
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(*(ops.convert_to_numpy(each(inputs)) for each in (copy, layer)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_cell_operation("zero", 4), "Received: 'zero'"),
        (lambda: CellConvolution(4, 2), "kernel_size=2"),
        (lambda: CellReduction(3), "filters=3"),
        (lambda: SeparableCellConvolution(4, 2, 3), "dilation=3"),
    ],
)
def test_impossible_operations_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("dilation", [2, 8])
@pytest.mark.parametrize("channels", [1, 4])
def test_gradients_of_dilated_depthwise_convolutions_are_those_of_keras(channels, dilation):
    import tensorflow as tf

    from keras_fasterseg.layers.dilated_conv2d import dilated_depthwise_convolution

    images, kernel = tf.random.normal((1, 9, 11, channels)), tf.random.normal((3, 3, channels, 1))
    upstream = tf.random.normal(images.shape)

    def plain(images, kernel, dilation):
        return ops.depthwise_conv(images, kernel, padding="same", dilation_rate=dilation)

    found = []
    for convolve in (dilated_depthwise_convolution, plain):
        with tf.GradientTape() as tape:
            tape.watch((images, kernel))
            outputs = convolve(images, kernel, dilation)
        found.append((outputs, *tape.gradient(outputs, (images, kernel), upstream)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
