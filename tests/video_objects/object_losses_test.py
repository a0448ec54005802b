"""Losses against numbers by hand, and their gradients at extreme logits."""

import math

import numpy as np
import pytest
from keras import ops

from keras_fasterseg.video_objects.object_losses import (
    center_loss,
    identity_loss,
    mask_loss,
    size_loss,
)


def value(loss, *arrays) -> float:
    tensors = [
        ops.convert_to_tensor(each if each.dtype == np.int32 else each.astype("float32"))
        for each in map(np.asarray, arrays)
    ]
    return float(ops.convert_to_numpy(loss(*tensors)))


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def heat_map(*cells: tuple[int, int, float]) -> np.ndarray:
    targets = np.zeros((1, 4, 6))
    for row, column, height in cells:
        targets[0, row, column] = height
    return targets


def test_perfect_centers_cost_nothing():
    targets = heat_map((1, 2, 1.0), (3, 5, 1.0))
    assert value(center_loss, targets, 40 * targets - 20, np.ones_like(targets)) < 1e-6


@pytest.mark.parametrize("target", [1.0, 0.0, 0.6])
@pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])
def test_center_loss_of_one_cell(target, probability):
    valid = heat_map((1, 2, 1.0))
    loss = value(center_loss, heat_map((1, 2, target)), valid * logit(probability), valid)
    if target == 1:
        expected = -((1 - probability) ** 2) * math.log(probability)
    else:
        expected = -((1 - target) ** 4) * probability**2 * math.log(1 - probability)
    assert loss == pytest.approx(expected, rel=1e-5)


def test_center_loss_is_divided_by_the_number_of_centers():
    one, two = heat_map((1, 2, 1.0)), heat_map((1, 2, 1.0), (3, 5, 1.0))
    # A center of probability one half, and the same error twice.
    for targets in (one, two):
        logits = np.where(targets == 1, 0.0, -50.0)
        loss = value(center_loss, targets, logits, np.ones_like(targets))
        assert loss == pytest.approx(0.25 * math.log(2), rel=1e-5)


def test_cells_that_are_not_valid_are_left_out():
    targets, valid = heat_map((1, 2, 1.0)), np.ones((1, 4, 6))
    logits = np.where(targets == 1, 20.0, -20.0)
    logits[0, 0] = 15
    assert value(center_loss, targets, logits, valid) > 50
    valid[0, 0] = 0
    assert value(center_loss, targets, logits, valid) < 1e-6


def test_center_loss_of_a_frame_without_centers():
    targets = np.zeros((1, 4, 6))
    loss = value(center_loss, targets, targets, np.ones_like(targets))
    assert loss == pytest.approx(24 * 0.25 * math.log(2), rel=1e-5)


def test_size_loss_of_one_center():
    targets, predictions = np.zeros((1, 4, 6, 3)), np.full((1, 4, 6, 2), 9.0)
    targets[0, 1, 2] = (math.log(20), math.log(40), 1)
    predictions[0, 1, 2] = (math.log(10), math.log(40) + 0.5)
    expected = (math.log(2) + 0.5) / 2
    assert value(size_loss, targets, predictions) == pytest.approx(expected, rel=1e-5)
    targets[0, 3, 3] = (1, 2, 1)
    predictions[0, 3, 3] = (1, 2)
    assert value(size_loss, targets, predictions) == pytest.approx(expected / 2, rel=1e-5)


def test_size_loss_without_centers_is_zero():
    assert value(size_loss, np.zeros((1, 4, 6, 3)), np.ones((1, 4, 6, 2))) == 0


def test_perfect_masks_cost_nothing():
    targets = (np.random.default_rng(0).random((2, 3, 8, 8)) < 0.5).astype(float)
    assert value(mask_loss, targets, 60 * targets - 30, np.ones((2, 3, 1, 1))) < 1e-6


def test_mask_loss_by_hand():
    targets, logits = np.zeros((1, 2, 3)), np.zeros((1, 2, 3))
    targets[0, 0] = 1
    logits[0, 0, 0] = logit(0.8)
    # Probabilities .8, .5 and .5 in the object and three times .5 outside.
    entropy = -(math.log(0.8) + 5 * math.log(0.5)) / 6
    dice = 1 - (2 * 1.8 + 1) / (3.3 + 3 + 1)
    loss = value(mask_loss, targets, logits, np.ones((1, 1, 1)))
    assert loss == pytest.approx(entropy + dice, rel=1e-5)


def test_mask_loss_counts_weighted_pixels_only():
    targets, weights = np.zeros((1, 2, 3)), np.zeros((1, 2, 3))
    targets[0, 0, 0] = weights[0, 0, :2] = 1
    logits = np.full((1, 2, 3), 50.0)
    logits[0, 0, :2] = logit(0.8), logit(0.3)
    entropy = -(math.log(0.8) + math.log(0.7)) / 2
    dice = 1 - (2 * 0.8 + 1) / (1.1 + 1 + 1)
    assert value(mask_loss, targets, logits, weights) == pytest.approx(entropy + dice, rel=1e-5)


def test_mask_loss_is_the_mean_over_present_masks():
    rng = np.random.default_rng(0)
    targets, logits = rng.random((1, 3, 4, 5)), rng.normal(size=(1, 3, 4, 5))
    alone = [value(mask_loss, targets[:, i], logits[:, i], np.ones((1, 1, 1))) for i in range(3)]
    weights = np.array([1.0, 0, 1]).reshape(1, 3, 1, 1)
    expected = (alone[0] + alone[2]) / 2
    assert value(mask_loss, targets, logits, weights) == pytest.approx(expected, rel=1e-5)


def test_mask_loss_without_masks_is_zero():
    logits = np.full((1, 3, 4, 5), 100.0)
    assert value(mask_loss, np.zeros_like(logits), logits, np.zeros((1, 3, 1, 1))) == 0


@pytest.mark.parametrize("count", [2, 7])
def test_identity_loss_of_equal_logits_is_the_logarithm_of_their_number(count):
    identities = np.array([[0, 1, 1]], np.int32)
    loss = value(identity_loss, identities, np.full((1, 3, count), 4.0), np.ones((1, 3)))
    assert loss == pytest.approx(math.log(count), rel=1e-5)


def test_identity_loss_is_the_mean_over_present_objects():
    identities = np.array([[2, 0, 1]], np.int32)
    logits = np.random.default_rng(0).normal(size=(1, 3, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = -(math.log(probabilities[0, 0, 2]) + math.log(probabilities[0, 2, 1])) / 2
    loss = value(identity_loss, identities, logits, np.array([[1, 0, 1]]))
    assert loss == pytest.approx(expected, rel=1e-5)


def test_identity_loss_without_objects_is_zero():
    assert (
        value(identity_loss, np.zeros((1, 3), np.int32), np.ones((1, 3, 4)), np.zeros((1, 3))) == 0
    )


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("extreme", [-100.0, 100.0])
def test_gradients_are_finite_at_extreme_logits(extreme):
    import tensorflow as tf

    targets = heat_map((1, 2, 1.0), (1, 3, 0.5)).astype("float32")
    ones = tf.ones_like(targets)
    logits = tf.Variable(tf.fill(targets.shape, extreme))
    present = tf.ones((1, 4))
    losses = {
        "centers": lambda: center_loss(targets, logits, ones),
        "masks": lambda: mask_loss(targets, logits, ones),
        "nothing": lambda: mask_loss(targets, logits, 0 * ones),
        "sizes": lambda: size_loss(np.ones((1, 4, 6, 3), "float32"), logits[..., None]),
        "identities": lambda: identity_loss(np.zeros((1, 4), np.int32), logits, present),
    }
    for name, loss in losses.items():
        with tf.GradientTape() as tape:
            result = loss()
        assert np.isfinite(result.numpy()), name
        assert np.isfinite(tape.gradient(result, logits).numpy()).all(), name
