import math

import keras
import numpy as np
import pytest

from keras_fasterseg.pipelines.training_callbacks import StopOnNaN, decaying_sgd


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_training(loss):
    with pytest.raises(FloatingPointError, match=f"loss is {loss} after epoch 3"):
        StopOnNaN().on_epoch_end(2, {"loss": loss})


@pytest.mark.parametrize("logs", [{"loss": 1e30}, {}, None])
def test_any_number_is_fine(logs):
    StopOnNaN().on_epoch_end(0, logs)


def test_the_rate_falls_from_epoch_to_epoch():
    optimizer = decaying_sgd(0.02, 0.5, steps_per_epoch=3, momentum=0.9, l2=1e-3)
    variable = keras.Variable(np.float32([1.0]))
    rates = []
    for _ in range(7):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([np.float32([0.0])], [variable])
    assert rates == pytest.approx([0.02] * 3 + [0.01] * 3 + [0.005])
    assert (optimizer.momentum, optimizer.l2) == (0.9, 1e-3)
