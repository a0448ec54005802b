import copy
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.search.graph_options import without_graph_rewriting
from keras_fasterseg.spaces.fasterseg.choices import stack_settings
from keras_fasterseg.spaces.fasterseg.supernet_loss import SupernetLoss
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from tests.search.tiny_space import (
    assert_close,
    functions_run_eagerly,
    plain_loss,
    random_batch,
    random_widths,
    uniform_setting,
)


def several_settings(space):
    """Two of a role in a row, roles that change, one-hot widths of every kind."""
    widths = [
        uniform_setting(1),
        random_widths(1),
        uniform_setting(0),
        random_widths(2),
    ]
    architectures = [
        space.architectures["teacher"],
        space.architectures["student"],
        space.architectures["student"],
        space.architectures["teacher"],
    ]
    return [
        dataclasses.replace(architecture(), widths=each)
        for architecture, each in zip(architectures, widths, strict=True)
    ]


def separately(space, watched):
    """Losses and gradients of each setting on a tape of its own, in a pass of its own."""
    losses, gradients = [], []
    for choices in several_settings(space):
        targets = watched(choices)
        with tf.GradientTape() as tape:
            tape.watch(targets)
            loss = plain_loss(space.supernet, *random_batch(), choices)
        losses.append(float(loss))
        zero = tf.UnconnectedGradients.ZERO
        gradients.append(tape.gradient(loss, targets, unconnected_gradients=zero))
    return sum(losses), gradients


def loss_and_gradients(space, watched, frozen=False):
    choices = stack_settings(several_settings(space))
    targets = watched(choices)
    with tf.GradientTape() as tape:
        tape.watch(targets)
        loss = SupernetLoss(space.supernet)(*random_batch(), choices, frozen=frozen)
    zero = tf.UnconnectedGradients.ZERO
    return loss, tape.gradient(loss, targets, unconnected_gradients=zero)


def weights_of(space):
    return [variable.value for variable in space.supernet.trainable_variables]


@pytest.fixture(scope="module")
def weights_apart(space):
    with functions_run_eagerly():
        loss, gradients = separately(space, lambda choices: weights_of(space))
    return loss, [sum(parts).numpy() for parts in zip(*gradients, strict=True)]


def test_gradients_of_weights_are_the_sum_over_the_settings(space, weights_apart, eagerly):
    loss, gradients = loss_and_gradients(space, lambda choices: weights_of(space))
    expected_loss, expected = weights_apart
    assert float(loss) == pytest.approx(expected_loss, rel=1e-5)
    assert_close(gradients, expected)


def test_the_graph_gives_the_same(space, weights_apart):
    def differentiate():
        return loss_and_gradients(space, lambda choices: weights_of(space))

    with without_graph_rewriting():
        loss, gradients = tf.function(differentiate, autograph=False)()
    expected_loss, expected = weights_apart
    # Traced kernels round otherwise; where an activation is next to a kink of its ReLU that turns
    # a whole path on or off.
    assert float(loss) == pytest.approx(expected_loss, rel=1e-3)
    error = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(gradients, expected, strict=True)))
    size = np.sqrt(sum(np.sum(b**2) for b in expected))
    assert error < 5e-3 * size


def test_gradients_of_choices_are_those_of_each_setting(space, eagerly):
    loss, gradients = loss_and_gradients(space, tf.nest.flatten, frozen=True)
    expected_loss, apart = separately(space, tf.nest.flatten)
    assert float(loss) == pytest.approx(expected_loss, rel=1e-5)
    expected = [np.stack(rows) for rows in zip(*apart, strict=True)]
    assert_close(gradients, expected)


def test_frozen_weights_have_no_gradient(space, eagerly):
    _, gradients = loss_and_gradients(space, lambda choices: weights_of(space), frozen=True)
    for variable, gradient in zip(space.supernet.trainable_variables, gradients, strict=True):
        if "keep" in variable.path or "down" in variable.path:
            assert not gradient.numpy().any()


def test_running_statistics_are_those_of_one_setting_after_the_other(space, eagerly):
    """A stem alone sees the images once for all settings of a role in a row."""
    variables = space.supernet.non_trainable_variables
    before = [np.array(variable) for variable in variables]

    def after(settings):
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        for choices in settings:
            space.supernet(random_batch()[0], choices=choices, training=True)
        return {variable.path: np.array(variable) for variable in variables}

    settings = several_settings(space)
    expected, together = after(settings), after([stack_settings(settings)])
    once = after([settings[1]])
    for path, value in together.items():
        if "student_stem" in path:
            value, other = once[path], value
            np.testing.assert_array_equal(value, other)
        elif "stem" not in path:
            np.testing.assert_allclose(value, expected[path], rtol=1e-4, atol=1e-5, err_msg=path)


def test_every_eighth_label_counts(space, eagerly):
    images, labels = random_batch()
    choices = space.architectures["student"]()
    supernet_loss = SupernetLoss(space.supernet)
    loss = float(supernet_loss(images, labels, choices))
    others = np.full(labels.shape, 255, np.int32)
    others[:, ::8, ::8] = labels.numpy()[:, ::8, ::8]
    assert float(supernet_loss(images, tf.constant(others), choices)) == pytest.approx(
        loss, rel=1e-6
    )
    assert loss == pytest.approx(float(plain_loss(space.supernet, images, labels, choices)))
    void = tf.fill(labels.shape, 255)
    assert float(supernet_loss(images, void, choices)) == 0


def test_settings_are_stacked_along_the_first_axis(space):
    settings = several_settings(space)
    both = stack_settings(settings[:2])
    assert both.role == (TEACHER, STUDENT)
    assert both.settings == 2
    for family in ("alphas", "betas", "widths"):
        for index, rows in enumerate(getattr(both, family)):
            for setting, one in enumerate(settings[:2]):
                np.testing.assert_array_equal(rows[setting], getattr(one, family)[index])


WEIGHTS = (1.0, 0.0, 3.0)


def test_classes_are_weighted(space, eagerly):
    images, labels = random_batch()
    choices = space.architectures["student"]()
    predictions = space.supernet(images, choices=choices, training=True)
    eighth = labels[:, ::8, ::8]
    expected = sum(ohem_cross_entropy(eighth, each, class_weights=WEIGHTS) for each in predictions)
    weighted = copy.copy(space)
    weighted.class_weights = list(WEIGHTS)
    assert float(weighted.loss(images, labels, choices)) == pytest.approx(float(expected), rel=1e-5)
    assert float(space.loss(images, labels, choices)) != pytest.approx(float(expected), rel=1e-3)


def test_class_weights_are_constants_of_a_graph(space):
    images, labels = random_batch()
    logits = tf.constant(np.random.default_rng(0).normal(size=(1, 8, 8, 3)), tf.float32)
    loss = SupernetLoss(lambda images, **options: (logits,))
    found = loss(images, labels, space.architectures["student"](), class_weights=WEIGHTS)
    expected = ohem_cross_entropy(labels[:, ::8, ::8], logits, class_weights=WEIGHTS)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
