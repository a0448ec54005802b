"""Mixed blocks of the joint supernet against their formula, computed without a graph."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.spaces.joint.block_stack import BlockStack
from keras_fasterseg.spaces.joint.choices import operations
from keras_fasterseg.spaces.joint.settings import JointSettings

BLOCKS, FILTERS = 3, 6
SETTINGS = JointSettings(filter_choices=2, filter_step=2, dilations=(1, 3))
OPERATIONS = operations(SETTINGS)
WIDTHS = (6, 4)
# Sums over at most 18 products of size 1: a few float32 roundings.
TOLERANCE = 2e-5


def make_stack(dropout=0.0, seed=0):
    generator = np.random.default_rng(seed)
    stack = BlockStack(BLOCKS, FILTERS, WIDTHS, OPERATIONS, dropout, seed)
    stack.build((None, None, None, FILTERS))
    for weight in stack.weights:
        positive = weight.name in ("moving_variance", "gamma")
        values = generator.uniform(0.5, 1.5, weight.shape) if positive else None
        weight.assign(generator.normal(0, 0.3, weight.shape) if values is None else values)
    return stack


def random_choices(seed=0):
    generator = np.random.default_rng(seed)

    def groups(*shape):
        values = generator.exponential(size=shape)
        return np.float32(values / values.sum(axis=-1, keepdims=True))

    shape = (BLOCKS, len(OPERATIONS))
    return {
        "depth": groups(BLOCKS),
        "operation": groups(*shape),
        "middle": groups(*shape, len(WIDTHS)),
        "last": groups(*shape, len(WIDTHS)),
    }


def random_inputs(seed=0):
    return tf.random.stateless_normal((2, 8, 10, FILTERS), (seed, 1))


def expected_outputs(stack, inputs, choices, training=False):
    """The formula, operation by operation, all of them computed."""
    masks = np.arange(FILTERS)[None] < np.asarray(WIDTHS)[:, None]
    weights = {weight.name: np.asarray(weight) for weight in stack.weights}

    def normalize(values, *index):
        index = index[0], index[1], index[2]
        mean, variance = weights["moving_mean"][index], weights["moving_variance"][index]
        if training:
            mean, variance = (np.asarray(each) for each in tf.nn.moments(values, (0, 1, 2)))
        scaled = (values - mean) / np.sqrt(variance + 1e-5)
        return scaled * weights["gamma"][index] + weights["beta"][index]

    total, features = 0.0, inputs
    for block in range(BLOCKS):
        mixed = 0.0
        for index, operation in enumerate(OPERATIONS):
            values, dilation = features, operation.dilation
            if operation.pooled:
                values = tf.nn.max_pool2d(values, 2, 2, "VALID")
            kernel = weights["first_kernel"][block, index][:, None]
            values = tf.nn.convolution(values, kernel, padding="SAME", dilations=(dilation, 1))
            values = normalize(values, block, index, 0)
            values = tf.nn.relu(values * (choices["middle"][block, index] @ masks))
            kernel = weights["second_kernel"][block, index][None]
            values = tf.nn.convolution(values, kernel, padding="SAME", dilations=(1, dilation))
            values = normalize(values, block, index, 1)
            if operation.pooled:
                values = resize_bilinear(tf.cast(values, "float32"), (8, 10))
            last = choices["last"][block, index] @ masks
            mixed += choices["operation"][block, index] * last * (features + values)
        features = tf.nn.relu(tf.cast(mixed, "float32"))
        total += choices["depth"][block] * features
    return total


@pytest.mark.parametrize("training", [False, True])
def test_blocks_mix_their_operations_and_depths(training):
    stack, inputs, choices = make_stack(), random_inputs(), random_choices()
    expected = expected_outputs(stack, inputs, choices, training)
    found = stack(inputs, choices, training=training)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * float(np.abs(expected).max()))


def test_choices_of_probability_0_are_not_computed():
    stack, inputs, choices = make_stack(), random_inputs(), random_choices()
    choices["operation"][:, 1:3] = 0
    choices["depth"][2] = 0
    expected = expected_outputs(stack, inputs, choices)
    for weight in stack.weights:
        values = np.array(weight)
        values[:, 1:3] = np.nan
        values[2] = np.nan
        weight.assign(values)
    found = stack(inputs, choices)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * float(np.abs(expected).max()))


def test_weights_that_are_not_computed_keep_their_statistics_and_have_no_gradient():
    stack, inputs, choices = make_stack(), random_inputs(), random_choices()
    choices["operation"][:, 0] = 0
    before = np.array(stack.moving_mean)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(stack(inputs, choices, training=True) ** 2)
    gradients = tape.gradient(loss, [each.value for each in stack.trainable_variables])
    for gradient in gradients:
        gradient = np.asarray(tf.convert_to_tensor(gradient))
        np.testing.assert_array_equal(gradient[:, 0], 0)
        assert np.abs(gradient[:, 1:]).max() > 0
    after = np.array(stack.moving_mean)
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert (after[:, 1:] != before[:, 1:]).all()


def test_training_moves_the_statistics_by_a_tenth():
    stack, inputs, choices = make_stack(), random_inputs(), random_choices()
    kernel = np.array(stack.kernels[0])[0, 0][:, None]
    batch = tf.nn.convolution(inputs, kernel, padding="SAME")
    mean = np.array(stack.moving_mean)[0, 0, 0]
    variance = np.array(stack.moving_variance)[0, 0, 0]
    stack(inputs, choices, training=True)
    count = np.prod(batch.shape[:3])
    moments = [np.asarray(each) for each in tf.nn.moments(batch, (0, 1, 2))]
    np.testing.assert_allclose(
        np.array(stack.moving_mean)[0, 0, 0], 0.9 * mean + 0.1 * moments[0], atol=1e-5
    )
    unbiased = moments[1] * count / (count - 1)
    np.testing.assert_allclose(
        np.array(stack.moving_variance)[0, 0, 0], 0.9 * variance + 0.1 * unbiased, rtol=1e-4
    )


def test_dropout_acts_in_training_only_and_its_sequence_is_saved(tmp_path):
    inputs, choices = random_inputs(), random_choices()
    stack = make_stack(dropout=0.5)
    plain = make_stack()
    np.testing.assert_allclose(stack(inputs, choices), plain(inputs, choices), rtol=1e-6)
    store = {}
    stack.save_own_variables(store)
    first, second = (np.array(stack(inputs, choices, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 0.01
    stack.load_own_variables(store)
    np.testing.assert_array_equal(stack(inputs, choices, training=True), first)


def test_initial_kernels_are_he_normal():
    stack = BlockStack(2, 64, (64,), OPERATIONS, 0.0)
    stack.build((None, None, None, 64))
    for kernel in stack.kernels:
        assert np.std(kernel) == pytest.approx(np.sqrt(2 / (3 * 64)), rel=0.01)
