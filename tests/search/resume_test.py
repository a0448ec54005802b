"""Pretraining resumes bit by bit from the weights that it has saved."""

import numpy as np

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


def step(trainer, seed):
    with functions_run_eagerly():
        trainer.train_step(random_batch(seed))


def state(trainer):
    """Every variable there is: weights, slots, random states, metrics."""
    return [np.array(variable) for variable in [*trainer.variables, *trainer.optimizer.variables]]


def test_weights_and_state_go_on(tmp_path):
    trainer = make_pretrainer(1)
    step(trainer, 1)
    trainer.save_weights(tmp_path / "trainer.weights.h5")
    before = state(trainer)
    step(trainer, 2)
    other = make_pretrainer(2)
    other.load_weights(tmp_path / "trainer.weights.h5")
    for found, expected in zip(state(other), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    step(other, 2)
    for found, expected in zip(state(other), state(trainer), strict=True):
        np.testing.assert_array_equal(found, expected)
