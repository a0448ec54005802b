"""Losses of centres, sizes, masks and identities."""

from typing import Any

import keras
from keras import ops

Tensor = Any

FOCAL_POWER = 2.0
NEGATIVE_POWER = 4.0


def center_loss(targets: Tensor, logits: Tensor, valid: Tensor) -> Tensor:
    """Focal loss of a centre heat map, divided by the number of centres.

    `(1 - p)^2 log p` at centres, `(1 - y)^4 p^2 log(1 - p)` elsewhere, y the target's bells
    (CornerNet's loss, as in CenterNet; our choice).

    Args:
        targets: `(batch, rows, columns)`; 1 at centres.
        logits: The same shape.
        valid: The same shape; cells of 0 are left out.
    """
    probability = ops.sigmoid(logits)
    is_center = ops.cast(ops.equal(targets, 1.0), "float32")
    positive = (1 - probability) ** FOCAL_POWER * ops.log_sigmoid(logits) * is_center
    negative = (
        (1 - targets) ** NEGATIVE_POWER
        * probability**FOCAL_POWER
        * ops.log_sigmoid(-logits)
        * (1 - is_center)
    )
    count = ops.maximum(ops.sum(is_center * valid), 1.0)
    return -ops.sum((positive + negative) * valid) / count


def size_loss(targets: Tensor, predictions: Tensor) -> Tensor:
    """Mean absolute error of the logarithms of height and width at centres.

    Args:
        targets: `(batch, rows, columns, 3)`; the third channel is 1 at centres.
        predictions: `(batch, rows, columns, 2)`.
    """
    weights = targets[..., 2:]
    total = ops.sum(ops.abs(predictions - targets[..., :2]) * weights)
    return total / ops.maximum(2 * ops.sum(weights), 1.0)


def mask_loss(targets: Tensor, logits: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy plus Dice loss, averaged over masks.

    Args:
        targets: `(..., rows, columns)` in [0, 1].
        logits: The same shape.
        weights: `(..., rows, columns)` or `(..., 1, 1)`; masks whose weights are 0 do not count.
    """
    weights = ops.broadcast_to(weights, ops.shape(targets))
    area = (-2, -1)
    totals = ops.sum(weights, axis=area)
    entropies = ops.binary_crossentropy(targets, logits, from_logits=True)
    entropy = ops.sum(entropies * weights, axis=area)
    entropy /= ops.maximum(totals, 1.0)
    predictions = ops.sigmoid(logits)
    shared = ops.sum(predictions * targets * weights, axis=area)
    both = ops.sum((predictions + targets) * weights, axis=area)
    dice = 1 - (2 * shared + 1) / (both + 1)
    counts = ops.cast(totals > 0, "float32")
    return ops.sum((entropy + dice) * counts) / ops.maximum(ops.sum(counts), 1.0)


def identity_loss(identities: Tensor, logits: Tensor, present: Tensor) -> Tensor:
    """Mean cross-entropy over identities of the objects that are present.

    Args:
        identities: int `(batch, objects)`.
        logits: `(batch, objects, num_identities)`.
        present: `(batch, objects)`; 0 for places without an object.
    """
    losses = keras.losses.sparse_categorical_crossentropy(identities, logits, from_logits=True)
    return ops.sum(losses * present) / ops.maximum(ops.sum(present), 1.0)
