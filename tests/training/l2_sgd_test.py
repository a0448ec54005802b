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


def torch_formula(rate, momentum, l2):
    """What `torch.optim.SGD` documents: buffer = momentum * buffer + g; w = w - rate * buffer."""
    weights = [value.astype("float64") for value in START]
    buffers = [np.zeros_like(weight) for weight in weights]
    for step in range(STEPS):
        for index, gradient in enumerate(gradients_of(step)):
            buffers[index] = momentum * buffers[index] + gradient + l2 * weights[index]
            weights[index] = weights[index] - rate * buffers[index]
    return weights


@pytest.mark.parametrize(("momentum", "l2"), [(0.0, 0.0), (0.0, 0.3), (0.9, 0.0), (0.9, 0.3)])
def test_equals_torch(momentum, l2):
    found = run(L2SGD(0.1, momentum=momentum, l2=l2))
    for one, other in zip(found, torch_formula(0.1, momentum, l2), strict=True):
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
