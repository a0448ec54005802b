"""Trainers of a supernet go on bit by bit from the weights that they have saved."""

import keras
import numpy as np
import pytest

from keras_fasterseg.search.search_trainer import SearchTrainer
from keras_fasterseg.search.supernet_pretrainer import SupernetPretrainer
from keras_fasterseg.training.l2_sgd import L2SGD
from tests.search.tiny_space import functions_run_eagerly, make_space, random_batch


def make_pretrainer(seed):
    space = make_space(seed)
    trainer = SupernetPretrainer(space, seed=seed)
    optimizer = L2SGD(0.01, momentum=0.9, l2=1e-3)
    optimizer.build(space.supernet.trainable_variables)
    trainer.compile(optimizer=optimizer, jit_compile=False)
    return trainer


def make_search_trainer(seed):
    space = make_space(seed)
    trainer = SearchTrainer(
        space,
        penalty=lambda choices: sum(keras.ops.sum(rows) for rows in choices.alphas),
        penalty_weight=0.1 * seed,
    )
    trainer.compile(L2SGD(0.01, momentum=0.9, l2=1e-3), keras.optimizers.Adam(0.1))
    return trainer


def step(trainer, seed):
    batch = random_batch(seed)
    if isinstance(trainer, SearchTrainer):
        batch = (batch, random_batch(seed + 100))
    with functions_run_eagerly():
        trainer.train_step(batch)


def state(trainer):
    """Every variable there is: weights, slots, random states, metrics."""
    optimizers = [trainer.optimizer, getattr(trainer, "architecture_optimizer", None)]
    slots = [variable for each in optimizers if each is not None for variable in each.variables]
    return [np.array(variable) for variable in [*trainer.variables, *slots]]


@pytest.mark.parametrize("make", [make_pretrainer, make_search_trainer])
def test_weights_and_state_go_on(tmp_path, make):
    trainer = make(1)
    step(trainer, 1)
    trainer.save_weights(tmp_path / "trainer.weights.h5")
    before = state(trainer)
    step(trainer, 2)
    other = make(2)
    other.load_weights(tmp_path / "trainer.weights.h5")
    for found, expected in zip(state(other), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    step(other, 2)
    for found, expected in zip(state(other), state(trainer), strict=True):
        np.testing.assert_array_equal(found, expected)
