import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.training.l2_sgd import L2SGD

STEPS = 4
START = (np.float32([1.0, -2.0, 0.5]), np.float32([[3.0], [-0.25]]))


def gradients_of(step):
    generator = np.random.default_rng(step)
    return [generator.normal(size=value.shape).astype("float32") for value in START]


def run(optimizer, traced=False):
    variables = [keras.Variable(value) for value in START]
    optimizer.build(variables)

    def apply(gradients):
        optimizer.apply(gradients, variables)

    if traced:
        apply = tf.function(apply, autograph=False)
    for step in range(STEPS):
        gradients = [tf.constant(gradient) for gradient in gradients_of(step)]
        apply(gradients)
    return [np.array(variable) for variable in variables]


def torch_formula(rate, momentum, l2, clip=math.inf, nesterov=False):
    """Update of `torch.optim.SGD`: buffer = momentum * buffer + g; w = w - rate * buffer."""
    weights = [value.astype("float64") for value in START]
    buffers = [np.zeros_like(weight) for weight in weights]
    for step in range(STEPS):
        gradients = gradients_of(step)
        norm = math.sqrt(sum(np.sum(gradient.astype("float64") ** 2) for gradient in gradients))
        for index, gradient in enumerate(gradients):
            regularized = gradient * min(1.0, clip / norm) + l2 * weights[index]
            buffers[index] = momentum * buffers[index] + regularized
            change = regularized + momentum * buffers[index] if nesterov else buffers[index]
            weights[index] = weights[index] - rate * change
    return weights


@pytest.mark.parametrize(("momentum", "l2"), [(0.0, 0.0), (0.0, 0.3), (0.9, 0.0), (0.9, 0.3)])
def test_equals_torch(momentum, l2):
    found = run(L2SGD(0.1, momentum=momentum, l2=l2))
    for one, other in zip(found, torch_formula(0.1, momentum, l2), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("clip", [0.5, 100.0])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_gradients_are_clipped_together_before_l2(momentum, clip, nesterov, traced):
    nesterov = nesterov and momentum > 0
    optimizer = L2SGD(0.1, momentum=momentum, l2=0.3, global_clipnorm=clip, nesterov=nesterov)
    expected = torch_formula(0.1, momentum, 0.3, clip, nesterov)
    for one, other in zip(run(optimizer, traced), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_l2_is_not_keras_decoupled_decay():
    ours = run(L2SGD(0.1, momentum=0.9, l2=0.3))
    decoupled = run(keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.3))
    assert not np.allclose(ours[0], decoupled[0], atol=1e-3)


def test_without_l2_it_is_keras_sgd_under_a_schedule():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5, staircase=True)
    expected = run(keras.optimizers.SGD(schedule, momentum=0.9))
    for one, other in zip(run(L2SGD(schedule, momentum=0.9)), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_one_after_the_other_in_a_graph_gives_the_same():
    traced = run(L2SGD(0.1, momentum=0.9, l2=0.3), traced=True)
    for one, other in zip(traced, torch_formula(0.1, 0.9, 0.3), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_handed_in_gradients_are_left_alone():
    variable = keras.Variable(START[0])
    gradient = np.ones(3, np.float32)
    L2SGD(0.1, l2=0.3).apply([gradient], [variable])
    np.testing.assert_array_equal(gradient, 1)


def test_config_round_trip():
    optimizer = L2SGD(0.05, momentum=0.8, l2=0.01, clipnorm=2.0)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(copy, L2SGD)
    assert copy.get_config() == optimizer.get_config()
    assert (copy.l2, copy.momentum, copy.clipnorm) == (0.01, 0.8, 2.0)
    for one, other in zip(run(copy), run(optimizer), strict=True):
        np.testing.assert_array_equal(one, other)


def mean_gradients(step, batches):
    several = [gradients_of(batches * step + index) for index in range(batches)]
    return [np.mean(each, axis=0) for each in zip(*several, strict=True)]


def schedule_of_batches():
    return keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5, staircase=True)


def make_variables():
    return [keras.Variable(value) for value in START]


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("batches", [2, 3])
def test_accumulation_equals_steps_on_mean_gradients(batches, traced):
    options = {"momentum": 0.9, "l2": 0.3, "use_ema": True, "ema_momentum": 0.8}
    variables, expected = make_variables(), make_variables()
    optimizer = L2SGD(0.1, **options, gradient_accumulation_steps=batches)
    reference = L2SGD(0.1, **options)
    for each, own in ((optimizer, variables), (reference, expected)):
        each.build(own)

    def apply(gradients):
        optimizer.apply(gradients, variables)

    if traced:
        apply = tf.function(apply, autograph=False)
    for step in range(STEPS):
        before = [np.array(each) for each in [*variables, *optimizer.averages]]
        for index in range(batches):
            for value, each in zip(before, [*variables, *optimizer.averages], strict=True):
                np.testing.assert_array_equal(each, value)
            apply([tf.constant(each) for each in gradients_of(batches * step + index)])
        reference.apply([tf.constant(each) for each in mean_gradients(step, batches)], expected)
        pairs = zip(
            [*variables, *optimizer.averages], [*expected, *reference.averages], strict=True
        )
        for one, other in pairs:
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_schedule_counts_batches_also_where_they_are_accumulated():
    """Epochs are as many batches long with accumulation as without; so must be their rates."""
    optimizer = L2SGD(schedule_of_batches(), gradient_accumulation_steps=2)
    (variable,) = variables = make_variables()[:1]
    optimizer.build(variables)
    rates = []
    for _ in range(6):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([tf.zeros(3)], [variable])
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025, 0.025])
    assert int(optimizer.iterations) == 3


def test_averages_follow_the_formula():
    momentum = 0.75
    variables = make_variables()
    optimizer = L2SGD(0.1, use_ema=True, ema_momentum=momentum)
    optimizer.build(variables)
    # Before the first update there is nothing to average, but no zeros either.
    for average, value in zip(optimizer.averages, START, strict=True):
        np.testing.assert_array_equal(average, value)
    expected = None
    for step in range(STEPS):
        optimizer.apply([tf.constant(gradient) for gradient in gradients_of(step)], variables)
        now = [np.array(variable) for variable in variables]
        expected = (
            now
            if expected is None
            else [momentum * a + (1 - momentum) * b for a, b in zip(expected, now, strict=True)]
        )
    for average, value in zip(optimizer.averages, expected, strict=True):
        np.testing.assert_allclose(average, value, rtol=1e-5)


def test_without_averaging_there_are_no_averages():
    assert L2SGD(0.1).averages is None


@pytest.mark.parametrize("traced", [False, True])
def test_within_a_loss_scale(traced):
    """Scaled gradients move the weights as plain ones; those that overflowed move nothing."""
    options = {"use_ema": True, "gradient_accumulation_steps": 2}
    variables, expected = make_variables(), make_variables()
    inner, reference = L2SGD(0.1, **options), L2SGD(0.1, **options)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0)
    for each, own in ((optimizer, variables), (reference, expected)):
        each.build(own)

    def apply(gradients):
        optimizer.apply(gradients, variables)

    if traced:
        apply = tf.function(apply, autograph=False)
    for step in range(STEPS):
        plain = [tf.constant(gradient) for gradient in gradients_of(step)]
        apply([optimizer.scale_loss(gradient) for gradient in plain])
        apply([plain[0] * np.inf, plain[1]])
        reference.apply(plain, expected)
    assert float(optimizer.dynamic_scale) == 8.0 / 2**STEPS
    assert int(inner.iterations) == STEPS // 2
    pairs = zip([*variables, *inner.averages], [*expected, *reference.averages], strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-6)
