import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.search.graph_options import without_graph_rewriting
from keras_fasterseg.search.passes import (
    SupernetPasses,
    clipped,
    stack_widths,
    uniform_setting,
)
from tests.search.tiny_space import (
    assert_close,
    functions_run_eagerly,
    plain_loss,
    random_batch,
    random_widths,
)


def several_settings(space):
    return [
        uniform_setting(space.supernet, 1),
        random_widths(1),
        uniform_setting(space.supernet, 0),
    ]


def separately(space, watched):
    """Losses and gradients of each setting on a tape of its own, by no loop and no trace."""
    images, labels = random_batch()
    losses, gradients = [], []
    for widths in several_settings(space):
        choices = dataclasses.replace(space.student(), widths=widths)
        targets = watched(choices)
        with tf.GradientTape() as tape:
            tape.watch(targets)
            loss = plain_loss(space.supernet, images, labels, choices)
        losses.append(float(loss))
        zero = tf.UnconnectedGradients.ZERO
        gradients.append(tape.gradient(loss, targets, unconnected_gradients=zero))
    return losses, gradients


def stacked(space):
    return dataclasses.replace(space.student(), widths=stack_widths(several_settings(space)))


@pytest.fixture(scope="module")
def weights_apart(space):
    weights = [variable.value for variable in space.supernet.trainable_variables]
    with functions_run_eagerly():
        losses, gradients = separately(space, lambda choices: weights)
    return sum(losses), [sum(parts).numpy() for parts in zip(*gradients, strict=True)]


def test_weight_gradients_are_the_sum_over_the_settings(space, weights_apart, eagerly):
    loss, gradients = SupernetPasses(space.supernet).weight_gradients(
        *random_batch(), stacked(space)
    )
    expected_loss, expected = weights_apart
    assert float(loss) == pytest.approx(expected_loss, rel=1e-5)
    assert_close(gradients, expected)


def test_the_loop_of_the_graph_gives_the_same(space, weights_apart):
    passes = SupernetPasses(space.supernet)
    with without_graph_rewriting():
        loss, gradients = tf.function(passes.weight_gradients, autograph=False)(
            *random_batch(), stacked(space)
        )
    expected_loss, expected = weights_apart
    # Traced kernels round otherwise; where an activation is next to a kink of its ReLU that turns
    # a whole path on or off.
    assert float(loss) == pytest.approx(expected_loss, rel=1e-3)
    error = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(gradients, expected, strict=True)))
    size = np.sqrt(sum(np.sum(b**2) for b in expected))
    assert error < 5e-3 * size


def test_choice_gradients_are_those_of_each_setting(space, eagerly):
    choices = stacked(space)
    loss, gradients = SupernetPasses(space.supernet).choice_gradients(*random_batch(), choices)
    losses, apart = separately(space, tf.nest.flatten)
    assert float(loss) == pytest.approx(sum(losses), rel=1e-5)
    gradients = tf.nest.pack_sequence_as(choices, gradients)
    apart = [
        tf.nest.pack_sequence_as(dataclasses.replace(choices, widths=widths), parts)
        for widths, parts in zip(several_settings(space), apart, strict=True)
    ]
    for family in ("alphas", "betas"):
        rows = zip(*(getattr(each, family) for each in apart), strict=True)
        assert_close(getattr(gradients, family), [sum(parts).numpy() for parts in rows])
    for index, each in enumerate(apart):
        assert_close([rows[index] for rows in gradients.widths], [w.numpy() for w in each.widths])


def test_choice_gradients_update_statistics_but_no_weight(space, eagerly):
    weights = [np.array(variable) for variable in space.supernet.trainable_variables]
    single = dataclasses.replace(space.student(), widths=stack_widths([random_widths(2)]))
    SupernetPasses(space.supernet).choice_gradients(*random_batch(), single)
    for variable, before in zip(space.supernet.trainable_variables, weights, strict=True):
        np.testing.assert_array_equal(variable, before)


def test_every_eighth_label_counts(space, eagerly):
    images, labels = random_batch()
    choices = space.student()
    passes = SupernetPasses(space.supernet)
    loss = float(passes.loss(images, labels, choices))
    others = np.full(labels.shape, 255, np.int32)
    others[:, ::8, ::8] = labels.numpy()[:, ::8, ::8]
    assert float(passes.loss(images, tf.constant(others), choices)) == pytest.approx(loss, rel=1e-6)
    assert loss == pytest.approx(float(plain_loss(space.supernet, images, labels, choices)))
    void = tf.fill(labels.shape, 255)
    assert float(passes.loss(images, void, choices)) == 0


def test_settings_of_widths(space):
    widest, narrowest = (uniform_setting(space.supernet, index) for index in (1, 0))
    assert [rows.shape for rows in widest] == [(3, 2), (3, 2), (2, 2)]
    both = stack_widths([widest, narrowest])
    assert [rows.shape for rows in both] == [(2, 3, 2), (2, 3, 2), (2, 2, 2)]
    for rows in both:
        np.testing.assert_array_equal(rows[0, :, 1], 1)
        np.testing.assert_array_equal(rows[1, :, 0], 1)
        np.testing.assert_array_equal(np.sum(rows, axis=-1), 1)


@pytest.mark.parametrize(("norm", "factor"), [(13.0, 1.0), (20.0, 1.0), (6.5, 0.5)])
def test_clipping_scales_all_together(norm, factor):
    # Their global norm is 13 = sqrt(3² + 4² + 12²).
    gradients = [tf.constant([3.0, -4.0]), tf.constant([[12.0]])]
    first, second = clipped(gradients, norm)
    np.testing.assert_allclose(first, [3 * factor, -4 * factor], rtol=1e-6)
    np.testing.assert_allclose(second, [[12 * factor]], rtol=1e-6)


def test_zero_gradients_stay_zero_when_clipped():
    np.testing.assert_array_equal(clipped([tf.zeros(3)], 5.0)[0], np.zeros(3))
