import types

import keras
import numpy as np
import pytest

from keras_fasterseg.training.keep_best import KeepBest
from keras_fasterseg.training.stop_early import StopEarly


def epochs_trained(scores, patience, every=1):
    """Counts the epochs that `fit` runs when the evaluations return `scores`."""
    results = iter([types.SimpleNamespace(miou=score) for score in scores])
    keep_best = KeepBest(lambda: next(results), lambda result: None, every)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((1, 1)), np.ones((1, 1))
    callbacks = [keep_best, StopEarly(keep_best, patience)]
    history = model.fit(*data, epochs=len(scores) * every, verbose=0, callbacks=callbacks)
    return len(history.epoch)


@pytest.mark.parametrize(
    ("scores", "patience", "expected"),
    [
        ([0.1, 0.2, 0.1, 0.2, 0.3], 1, 3),
        ([0.1, 0.2, 0.1, 0.2, 0.3], 2, 4),
        ([0.1, 0.2, 0.1, 0.2, 0.3], 3, 5),
        ([0.1, 0.0, 0.2, 0.1, 0.3], 2, 5),
        ([float("nan"), float("nan"), 0.1], 1, 2),
        ([0.3, 0.2, 0.1, 0.0], None, 4),
    ],
)
def test_ends_after_as_many_evaluations_without_a_better_one(scores, patience, expected):
    assert epochs_trained(scores, patience) == expected


def test_epochs_without_evaluation_do_not_count():
    assert epochs_trained([0.3, 0.2, 0.1, 0.0], patience=2, every=3) == 9


@pytest.mark.parametrize("patience", [0, -1])
def test_patience_must_be_positive(patience):
    with pytest.raises(ValueError, match=f"at least 1 or None. Received: {patience}"):
        StopEarly(KeepBest(lambda: None, lambda result: None), patience)
