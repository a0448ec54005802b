import keras
import numpy as np
import pytest

from keras_fasterseg.training.linear_warmup import LinearWarmup


def make(steps=4):
    return LinearWarmup(keras.optimizers.schedules.ExponentialDecay(0.5, 2, 0.1), steps)


def test_grows_linearly_from_zero_and_then_is_the_other():
    rates = [float(make()(step)) for step in range(8)]
    decayed = [0.5 * 0.1 ** (step / 2) for step in range(8)]
    shares = [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]
    assert rates == pytest.approx(np.multiply(decayed, shares), rel=1e-5)


def test_survives_its_config():
    copy = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(make()))
    assert isinstance(copy, LinearWarmup)
    assert [float(copy(step)) for step in range(6)] == [float(make()(step)) for step in range(6)]


def test_an_optimizer_takes_it_and_gives_it_back():
    optimizer = keras.optimizers.deserialize(
        keras.optimizers.serialize(keras.optimizers.SGD(make()))
    )
    variable = keras.Variable(np.zeros(1, "float32"))
    for expected in (0.0, 0.25 * 0.5 * 0.1**0.5):
        assert float(optimizer.learning_rate) == pytest.approx(expected)
        optimizer.apply([keras.ops.ones(1)], [variable])


def test_says_how_many_steps_are_wrong():
    with pytest.raises(ValueError, match="warmup_steps=0"):
        make(0)
