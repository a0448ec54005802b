"""Cross-entropy over the hard pixels of a batch (online hard example mining)."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fasterseg import replicas
from keras_fasterseg.tensorflow_cpu import compiled

Tensor = Any  # a tensor of the backend that Keras runs on

# By default, a batch keeps at least one of this many label pixels.
_LABEL_PIXELS_PER_KEPT_PIXEL = 16
# Halvings of the interval that contains the min_kept-th largest entropy. The last interval is 1e-9
# nats wide at a threshold of .01, finer than the precision of float32 entropies.
_HALVINGS = 32


def ohem_cross_entropy(
    labels: Tensor,
    logits: Tensor,
    *,
    threshold: float = 0.7,
    min_kept: int | None = None,
    ignore_label: int = 255,
    class_weights: Sequence[float] | None = None,
    jit_compile: bool = False,
) -> Tensor:
    """Mean cross-entropy over the pixels that are hard for the network.

    A pixel is kept if its probability of the true class is at most `threshold`, or among the
    `min_kept` smallest of the batch. If `min_kept` is 0, or above the number of valid (not
    ignored) pixels, all valid pixels are kept. A batch without valid pixels has loss 0 and
    gradient 0. Replicas that share a batch rank the pixels of the complete one; the mean of their
    losses is the loss.

    With class weights w, the mean over the kept pixels is weighted:
    `sum(w[label] * entropy) / sum(w[label])`. The weights do not affect which pixels are kept. If
    all kept pixels have weight 0, the loss is 0.

    Args:
        labels: Class indices or `ignore_label`: integers, or floats with integer values, of shape
            `(batch, height, width)`.
        logits: Scores before the softmax, of shape `(batch, height, width, classes)`. Half
            precision is converted to float32.
        threshold: Probability in (0, 1].
        min_kept: Minimum number of pixels to keep in the entire batch; `None` for 1/16 of all
            label pixels, ignored ones included.
        ignore_label: Label of ignored pixels.
        class_weights: One weight per class, not negative and not all 0; `None` weights all
            equally. Only their ratios matter.
        jit_compile: Whether XLA compiles the loss, once for every shape, if the backend is
            TensorFlow. This is three times as fast on a CPU.

    Returns:
        Scalar float32 tensor, in nats. It is infinite, with a NaN gradient, if a label is neither
            a class nor ignored.

    Raises:
        ValueError: The shapes do not match, `threshold` is not in (0, 1], `min_kept` is negative,
            or the weights are not one valid weight per class.

    Reference:
        Shrivastava et al., "Training Region-based Object Detectors with Online Hard Example
        Mining", here over pixels as in the released code of FasterSeg; the weighted mean is that
        of `torch.nn.CrossEntropyLoss(weight=...)`.
    """
    _check_options(threshold, min_kept)
    _check_shapes(labels, logits)
    if class_weights is not None:
        check_class_weights(class_weights, logits.shape[-1])
    # XLA has no operations between replicas.
    jit_compile = jit_compile and replicas.count() == 1
    forward = compiled(_weighted_entropy) if jit_compile else _weighted_entropy
    backward = compiled(_entropy_gradient) if jit_compile else _entropy_gradient
    labels = ops.cast(labels, "int32")
    # Channels first: sums over classes then add up entire planes. A resize in training also makes
    # planes, so TensorFlow drops its transposition and this one.
    logits = ops.transpose(ops.cast(logits, "float32"), (0, 3, 1, 2))
    values, weights = forward(
        labels,
        ops.stop_gradient(logits),
        # TensorFlow would turn NumPy's numbers into tensors.
        float(threshold),
        None if min_kept is None else int(min_kept),
        int(ignore_label),
        None if class_weights is None else tuple(map(float, class_weights)),
    )

    @ops.custom_gradient
    def weighted_entropy(logits):
        # Recomputes the probabilities: storing and loading them would be slower.
        def gradient(*upstreams, upstream=None):
            if upstream is None:
                (upstream,) = upstreams
            return backward(labels, logits, weights, upstream)

        return values, gradient

    weighted = weighted_entropy(logits)
    # Not within XLA, which on a CPU adds sequentially: the error is 1e-4 for a million pixels.
    total = replicas.summed(ops.sum(weights)) / replicas.count()
    return ops.sum(weighted) / ops.where(total > 0, total, 1.0)


def _weighted_entropy(
    labels: Tensor,
    logits: Tensor,
    threshold: float,
    min_kept: int | None,
    ignore_label: int,
    class_weights: tuple[float, ...] | None,
) -> tuple[Tensor, Tensor]:
    """Weighted entropy, and weight, of every pixel; both are 0 for pixels that are not kept.

    The logits are `(batch, classes, height, width)`, the results `(batch, height, width)`.
    """
    valid = ops.not_equal(labels, ignore_label)
    entropy = _entropy(labels, logits)
    if min_kept is None:
        min_kept = _pixel_count(labels) * replicas.count() // _LABEL_PIXELS_PER_KEPT_PIXEL
    kept = _hard_pixels(entropy, valid, threshold, min_kept)
    weights = ops.cast(kept, "float32")
    if class_weights is not None:
        # Divided by the largest to keep weights of any size within float32.
        relative = [weight / max(class_weights) for weight in class_weights]
        relative = ops.convert_to_tensor(relative, "float32")
        is_class = _is_class(labels, logits)
        own = ops.take(relative, ops.where(is_class, labels, 0))
        weights *= ops.where(is_class, own, 1.0)
    return ops.where(weights > 0, weights * entropy, 0.0), weights


def _entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """Entropy of every pixel, `(batch, height, width)`; infinite if the label is not a class."""
    logits = logits - ops.max(logits, axis=1, keepdims=True)
    chosen = ops.where(_is_label(labels, logits), logits, 0.0)
    label_logit = ops.where(_is_class(labels, logits), ops.sum(chosen, axis=1), -math.inf)
    return ops.log(ops.sum(ops.exp(logits), axis=1)) - label_logit


def _entropy_gradient(labels: Tensor, logits: Tensor, weights: Tensor, upstream: Tensor) -> Tensor:
    """Gradient with respect to the logits: weight times (probabilities minus one-hot label).

    It is NaN if the label is not a class, to make training fail.
    """
    exponentials = ops.exp(logits - ops.max(logits, axis=1, keepdims=True))
    counts = ops.logical_or(_is_class(labels, logits), weights == 0)
    weights = ops.where(counts, weights * upstream, math.nan)
    scale = weights / ops.sum(exponentials, axis=1)
    gradient = exponentials * scale[:, None] - ops.where(
        _is_label(labels, logits), weights[:, None], 0.0
    )
    return ops.where(weights[:, None] != 0, gradient, 0.0)


def _is_class(labels: Tensor, logits: Tensor) -> Tensor:
    return ops.logical_and(labels >= 0, labels < logits.shape[1])


def _is_label(labels: Tensor, logits: Tensor) -> Tensor:
    """Boolean mask of the logits, true for the class of the label."""
    classes = ops.arange(logits.shape[1], dtype="int32")
    return ops.equal(labels[:, None], ops.reshape(classes, (1, -1, 1, 1)))


def check_class_weights(class_weights: Sequence[float], num_classes: int) -> None:
    """Raises `ValueError` unless every class has a weight, all finite, not negative, not all 0.

    Args:
        class_weights: The weights, in the order of the classes.
        num_classes: Number of classes.
    """
    if len(class_weights) != num_classes:
        raise ValueError(
            f"`class_weights` must have one weight for each of the {num_classes} classes. "
            f"Received: {len(class_weights)} weights, {tuple(class_weights)}"
        )
    _check_weight_values(class_weights)


def _check_weight_values(class_weights: Sequence[float]) -> None:
    finite = all(math.isfinite(weight) and weight >= 0 for weight in class_weights)
    if not finite or not any(class_weights):
        raise ValueError(
            "`class_weights` must be finite, not negative and not all 0. "
            f"Received: {tuple(class_weights)}"
        )


def _check_options(threshold: float, min_kept: int | None) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(f"`threshold` must be a probability in (0, 1]. Received: {threshold}")
    if min_kept is not None and min_kept < 0:
        raise ValueError(
            "`min_kept` must be at least 0 pixels, or None for 1/16 of the label pixels. "
            f"Received: min_kept={min_kept}"
        )


def _check_shapes(labels: Tensor, logits: Tensor) -> None:
    expected, received = tuple(logits.shape[:-1]), tuple(labels.shape)
    if len(expected) != 3 or len(received) != 3:
        fits = False
    else:
        fits = all(
            None in pair or pair[0] == pair[1] for pair in zip(expected, received, strict=True)
        )
    if not fits:
        raise ValueError(
            "`labels` must have shape (batch, height, width) and `logits` "
            "(batch, height, width, classes). "
            f"Received: labels.shape={received}, logits.shape={tuple(logits.shape)}. "
            "Resize the logits or subsample the labels to the same size."
        )


def _pixel_count(labels: Tensor) -> int | Tensor:
    shape = ops.shape(labels)
    if all(isinstance(side, int) for side in shape):
        return math.prod(shape)
    return ops.size(labels)


def _hard_pixels(
    entropy: Tensor, valid: Tensor, threshold: float, min_kept: int | Tensor
) -> Tensor:
    """Mask of the pixels to keep, a boolean tensor of the shape of `entropy`.

    It compares entropies, -log p, instead of the probabilities in the definition. Their order is
    the reverse, and this needs no second softmax.
    """
    if isinstance(min_kept, int) and min_kept == 0:
        return valid
    hard_entropy = -math.log(threshold)
    # Ignored pixels sort last: all other entropies are at least 0.
    entropy = ops.where(valid, entropy, -1.0)
    at_least = ops.cond(
        replicas.summed(_count(ops.greater_equal(entropy, hard_entropy))) >= min_kept,
        lambda: ops.convert_to_tensor(hard_entropy, "float32"),
        lambda: _kth_largest_below(replicas.gathered(entropy), min_kept, hard_entropy),
    )
    # A minimum of 0 pixels disables mining, even if it is 1/16 of a tiny label.
    mine = ops.convert_to_tensor(min_kept, "int32") > 0
    return ops.logical_and(
        valid, ops.logical_or(ops.logical_not(mine), ops.greater_equal(entropy, at_least))
    )


def _kth_largest_below(values: Tensor, k: int | Tensor, upper: float) -> Tensor:
    """The k-th largest of `values`, known to be below `upper`; 0 if fewer than k are >= 0.

    It bisects on the count. For 12 x 512 x 1024 values and k 1/16 of them, on two CPU cores, this
    needs 0.17 s; `ops.top_k` needs 0.68 s and `ops.sort` 1.5 s (compiled by XLA: 0.12, 2.5 and
    2.4 s). It runs only if too few pixels are above the threshold.
    """

    def halve(_: Tensor, bounds: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        low, high = bounds
        middle = (low + high) / 2
        enough = _count(ops.greater_equal(values, middle)) >= k
        return ops.where(enough, middle, low), ops.where(enough, high, middle)

    bounds = (ops.convert_to_tensor(0.0, "float32"), ops.convert_to_tensor(upper, "float32"))
    return ops.fori_loop(0, _HALVINGS, halve, bounds)[0]


def _count(mask: Tensor) -> Tensor:
    return ops.sum(ops.cast(mask, "int32"))


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class OhemCrossEntropy(keras.losses.Loss):
    """`ohem_cross_entropy` as a Keras loss: `loss(labels, logits)` is a scalar.

    Each call ranks the pixels of its entire batch (under a distribution strategy of the user: of
    the replica's share). The loss therefore has no value per sample, and `sample_weight` only
    scales it.

    Args:
        threshold: Probability in (0, 1]; a pixel is hard if its true class has at most this
            probability.
        min_kept: Minimum number of pixels to keep per batch; `None` for 1/16 of the label pixels,
            0 for plain cross-entropy.
        ignore_label: Label of ignored pixels.
        class_weights: One weight per class; `None` weights all equally.
        name: Name of the loss.
    """

    def __init__(
        self,
        threshold: float = 0.7,
        min_kept: int | None = None,
        ignore_label: int = 255,
        class_weights: Sequence[float] | None = None,
        name: str = "ohem_cross_entropy",
    ) -> None:
        # Not the session's floatx: labels such as 255 and sums over a million pixels need float32.
        super().__init__(name=name, dtype="float32")
        _check_options(threshold, min_kept)
        if class_weights is not None:
            _check_weight_values(class_weights)
        self.threshold = threshold
        self.min_kept = min_kept
        self.ignore_label = ignore_label
        self.class_weights = None if class_weights is None else tuple(class_weights)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return ohem_cross_entropy(
            y_true,
            y_pred,
            threshold=self.threshold,
            min_kept=self.min_kept,
            ignore_label=self.ignore_label,
            class_weights=self.class_weights,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "threshold": self.threshold,
            "min_kept": self.min_kept,
            "ignore_label": self.ignore_label,
            "class_weights": self.class_weights,
            "name": self.name,
        }
