import json
import math
import types

import pytest

from keras_fasterseg.training.keep_best import KeepBest


def run(scores, every=1, epochs=None):
    """Which scores were saved, how often was evaluated, and `val_miou` of each epoch."""
    results = iter([types.SimpleNamespace(miou=score, number=i) for i, score in enumerate(scores)])
    saved, logged = [], []
    callback = KeepBest(lambda: next(results), saved.append, every)
    epochs = epochs or len(scores)
    callback.set_params({"epochs": epochs})
    for epoch in range(epochs):
        logs = {}
        callback.on_epoch_end(epoch, logs)
        logged.append(logs.get("val_miou"))
    assert next(results, None) is None
    return [result.number for result in saved], logged, callback


def test_saves_whenever_it_has_never_been_better():
    saved, logged, callback = run([0.2, 0.1, 0.3, 0.25])
    assert saved == [0, 2]
    assert logged == [0.2, 0.1, 0.3, 0.25]
    assert callback.best == 0.3


def test_ties_keep_the_first():
    assert run([0.5, 0.5])[0] == [0]


def test_nan_is_the_least_but_better_than_nothing():
    saved, logged, _ = run([math.nan, math.nan, 0.0, math.nan])
    assert saved == [0, 2]
    assert math.isnan(logged[3])


def test_every_so_many_epochs_and_after_the_last():
    # Of seven epochs the third, the sixth and the last are evaluated.
    saved, logged, _ = run([0.1, 0.2, 0.3], every=3, epochs=7)
    assert saved == [0, 1, 2]
    # The others have no score in their logs, not that of another epoch.
    assert logged == [None, None, 0.1, None, None, 0.2, 0.3]


def test_a_last_epoch_on_the_beat_is_evaluated_once():
    assert run([0.1, 0.2], every=2, epochs=4)[0] == [0, 1]


def test_every_must_be_positive():
    with pytest.raises(ValueError, match="every=0"):
        KeepBest(lambda: None, lambda result: None, every=0)


@pytest.mark.parametrize(
    ("scores", "waited"), [([0.2, 0.1, 0.3], 0), ([0.3, 0.3, 0.1], 2), ([0.1, math.nan], 1)]
)
def test_counts_evaluations_since_the_best(scores, waited):
    assert run(scores)[2].evaluations_since_best == waited


@pytest.mark.parametrize(
    "before", [[], [0.4, 0.2], [math.nan], [0.2, math.nan], [0.0, 0.0], [-0.0, 0.5]]
)
def test_goes_on_from_its_state(before):
    after = [0.3, math.nan, 0.45, 0.1]
    whole, _, undisturbed = run([*before, *after])
    state = run(before)[2].get_state()
    results = iter([types.SimpleNamespace(miou=score) for score in after])
    saved = []
    again = KeepBest(lambda: next(results), saved.append)
    again.set_state(json.loads(json.dumps(state, allow_nan=False)))
    again.set_params({"epochs": len(before) + len(after)})
    for epoch in range(len(before), len(before) + len(after)):
        again.on_epoch_end(epoch, {})
    assert len(saved) == sum(number >= len(before) for number in whole)
    assert again.get_state() == undisturbed.get_state()


def test_a_state_of_something_else_is_refused():
    with pytest.raises(KeyError, match="best"):
        KeepBest(lambda: None, lambda result: None).set_state({"epoch": 3})
