import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.search.graph_options import without_graph_rewriting
from keras_fasterseg.search.supernet_pretrainer import SupernetPretrainer
from keras_fasterseg.spaces.fasterseg.choices import one_hot_widths, width_shapes
from keras_fasterseg.training.l2_sgd import L2SGD
from tests.search.recording_sgd import RecordingSGD
from tests.search.tiny_space import (
    NUM_LAYERS,
    WIDTHS,
    assert_close,
    functions_run_eagerly,
    make_space,
    plain_loss,
    random_batch,
    uniform_setting,
    with_loss,
)

LEARNING_RATE, L2, CLIP, SEED = 0.01, 0.1, 0.5, 7


def make_trainer(space, optimizer, **kwargs):
    trainer = SupernetPretrainer(space, **kwargs)
    optimizer.build(space.supernet.trainable_variables)
    trainer.compile(optimizer=optimizer, jit_compile=False)
    return trainer


@pytest.fixture(scope="module")
def two_steps():
    """A space, its trainer after two eager steps, and the weights before each of them."""
    space = make_space()
    optimizer = RecordingSGD(LEARNING_RATE, momentum=0.0, l2=L2, global_clipnorm=CLIP)
    trainer = make_trainer(space, optimizer, seed=SEED)
    weights = []
    for seed in range(2):
        weights.append([np.array(w) for w in space.supernet.trainable_variables])
        with functions_run_eagerly():
            trainer.train_step(random_batch(seed))
    weights.append([np.array(w) for w in space.supernet.trainable_variables])
    return space, trainer, weights


def expected_gradients(supernet, architecture, batch):
    """Clipped sum over the four settings of the first step, each on a tape of its own."""
    draws = keras.random.SeedGenerator(SEED)
    settings = [uniform_setting(len(WIDTHS) - 1), uniform_setting(0)]
    for _ in range(2):
        indexes = [
            keras.random.randint((n,), 0, len(WIDTHS), seed=draws) for n in width_shapes(NUM_LAYERS)
        ]
        settings.append(one_hot_widths(indexes, len(WIDTHS)))
    weights = [variable.value for variable in supernet.trainable_variables]
    loss, parts = 0.0, []
    for widths in settings:
        choices = dataclasses.replace(architecture(), widths=widths)
        with tf.GradientTape() as tape:
            value = plain_loss(supernet, *batch, choices)
        loss += float(value)
        zero = tf.UnconnectedGradients.ZERO
        parts.append(tape.gradient(value, weights, unconnected_gradients=zero))
    summed = [sum(terms) for terms in zip(*parts, strict=True)]
    return loss, *tf.clip_by_global_norm(summed, CLIP)


def test_a_step_is_the_clipped_sum_of_four_passes_with_l2(two_steps, eagerly):
    space, trainer, weights = two_steps
    current = space.supernet.get_weights()
    for variable, before in zip(space.supernet.trainable_variables, weights[0], strict=True):
        variable.assign(before)
    _, expected, norm = expected_gradients(
        space.supernet, space.architectures["teacher"], random_batch(0)
    )
    space.supernet.set_weights(current)
    assert norm > CLIP
    expected = [gradient.numpy() for gradient in expected]
    assert_close(trainer.optimizer.gradients[0], expected)
    for before, after, gradient in zip(weights[0], weights[1], expected, strict=True):
        np.testing.assert_allclose(
            after, before - LEARNING_RATE * (gradient + L2 * before), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize(
    ("step", "idle", "busy"), [(0, "student", "teacher"), (1, "teacher", "student")]
)
def test_steps_alternate_between_the_roles(two_steps, step, idle, busy):
    space, trainer, _ = two_steps
    names = [weight.path for weight in space.supernet.trainable_variables]
    gradients = dict(zip(names, trainer.optimizer.gradients[step], strict=True))
    for part in ("stem", "decoder"):
        of_idle = [value for name, value in gradients.items() if f"{idle}_{part}" in name]
        of_busy = [value for name, value in gradients.items() if f"{busy}_{part}" in name]
        assert of_idle
        assert not any(value.any() for value in of_idle)
        assert any(value.any() for value in of_busy)
    assert any(value.any() for name, value in gradients.items() if "keep_8" in name)


def test_architectures_are_not_trained(two_steps):
    space, _, _ = two_steps
    untouched = make_space()
    for role in ("teacher", "student"):
        pair = (space.architectures[role], untouched.architectures[role])
        for one, other in zip(*(each.trainable_variables for each in pair), strict=True):
            np.testing.assert_array_equal(one, other)


class RecordingLoss:
    """Notes the choices; costs nothing."""

    def __init__(self):
        self.choices = []

    def __call__(self, images, labels, choices):
        self.choices.append(choices)
        return tf.constant(1.0)


def recorded_choices(space, seed, steps=3):
    loss = RecordingLoss()
    trainer = make_trainer(with_loss(space, loss), L2SGD(0.0), seed=seed)
    for _ in range(steps):
        trainer.train_step(random_batch())
    return loss.choices


def test_widths_are_widest_narrowest_and_two_random_ones_of_the_seed(space):
    first, again, other = (recorded_choices(space, seed) for seed in (1, 1, 2))
    assert [bool(choices.role) for choices in first] == [False, True, False]

    def random_part(recorded):
        return np.concatenate([np.ravel(rows[2:]) for each in recorded for rows in each.widths])

    for choices in first:
        for rows in choices.widths:
            assert rows.shape[0] == 4
            np.testing.assert_array_equal(rows[0, :, -1], 1)
            np.testing.assert_array_equal(rows[1, :, 0], 1)
            np.testing.assert_array_equal(np.sum(rows, axis=-1), 1)
    np.testing.assert_array_equal(random_part(first), random_part(again))
    assert (random_part(first) != random_part(other)).any()
    assert (random_part(first[:1]) != random_part(first[1:2])).any()
    assert any((rows[2] != rows[3]).numpy().any() for rows in first[0].widths)


@pytest.mark.slow
def test_a_batch_may_have_any_size(space):
    images, labels = random_batch()
    trainer = make_trainer(space, L2SGD(0.0), seed=0)
    signature = [tf.TensorSpec([None, *each.shape[1:]], each.dtype) for each in (images, labels)]
    step = tf.function(lambda *data: trainer.train_step(data), signature, autograph=False)
    with without_graph_rewriting():
        one, two = (step(tf.repeat(images, n, 0), tf.repeat(labels, n, 0)) for n in (1, 2))
    # Other roles, other random widths, and an image twice has its own batch statistics.
    assert float(two["loss"]) == pytest.approx(float(one["loss"]), rel=0.5)


@pytest.mark.slow
def test_fit_lowers_the_loss_of_a_fixed_batch():
    keras.utils.set_random_seed(0)
    space = make_space()
    images, _ = random_batch()
    labels = tf.repeat(tf.repeat([[[0, 1], [2, 1]]], 32, axis=1), 32, axis=2)
    dataset = tf.data.Dataset.from_tensors((images, labels)).repeat()
    trainer = make_trainer(space, L2SGD(0.02), seed=0)
    with without_graph_rewriting():
        # Two steps an epoch: one of each role, so that their losses compare.
        history = trainer.fit(dataset, epochs=6, steps_per_epoch=2, verbose=0)
    losses = history.history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    # Untrained, a pass costs five predictions of about ln 3 each; a step sums four passes.
    assert losses[0] > 4 * 5 * 0.5
