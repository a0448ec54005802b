"""Pretraining and search resume bit by bit from the weights that they have saved."""

import numpy as np
import pytest

from keras_fasterseg.run.optimizers import architecture_optimizer, search_optimizer
from keras_fasterseg.search.search_trainer import SearchTrainer
from keras_fasterseg.search.supernet_pretrainer import SupernetPretrainer
from keras_fasterseg.settings.search import SearchSettings
from keras_fasterseg.training.l2_sgd import L2SGD
from tests.search.tiny_space import functions_run_eagerly, make_space, random_batch


def make_pretrainer(seed):
    space = make_space(seed)
    trainer = SupernetPretrainer(space, seed=seed)
    optimizer = L2SGD(0.01, momentum=0.9, l2=1e-3)
    optimizer.build(space.supernet.trainable_variables)
    trainer.compile(optimizer=optimizer, jit_compile=False)
    return trainer


def make_searcher(seed):
    settings = SearchSettings(
        optimizer="adam", architecture_weight_decay=1e-3, architecture_clip_norm=5.0
    )
    trainer = SearchTrainer(make_space(seed), single_level=True)
    trainer.compile(search_optimizer(settings, 4), architecture_optimizer(settings))
    return trainer


def step(trainer, seed):
    with functions_run_eagerly():
        batches = (each for each in [random_batch(seed)])
        trainer.fit(batches, steps_per_epoch=1, shuffle=False, verbose=0)


def state(trainer):
    """Every variable there is: weights, slots, random states, metrics."""
    optimizers = [trainer.optimizer, getattr(trainer, "architecture_optimizer", None)]
    slots = [each for one in optimizers if one is not None for each in one.variables]
    return [np.array(variable) for variable in [*trainer.variables, *slots]]


@pytest.mark.parametrize("make_trainer", [make_pretrainer, make_searcher])
def test_weights_and_state_go_on(make_trainer, tmp_path):
    trainer = make_trainer(1)
    step(trainer, 1)
    trainer.save_weights(tmp_path / "trainer.weights.h5")
    before = state(trainer)
    step(trainer, 2)
    other = make_trainer(2)
    other.load_weights(tmp_path / "trainer.weights.h5")
    for found, expected in zip(state(other), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    step(other, 2)
    for found, expected in zip(state(other), state(trainer), strict=True):
        np.testing.assert_array_equal(found, expected)
