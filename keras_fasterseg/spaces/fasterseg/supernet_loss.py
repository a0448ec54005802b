"""Training loss of a supernet, for one or several settings."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_fasterseg.layers.layer_stack import trace_once
from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.spaces.fasterseg.choices import Choices
from keras_fasterseg.spaces.fasterseg.supernet import Supernet

LABEL_STRIDE = 8


class SupernetLoss:
    """Unweighted sum of OHEM cross-entropies over the five predictions of every setting.

    A training step needs several settings (widest, narrowest, sampled). They share one pass as
    parts of one batch, so the weights (a gigabyte) are read once and get one gradient. Hard pixels
    are mined separately for each setting.

    Args:
        supernet: The built supernet.
        threshold: Threshold of the OHEM cross-entropy.
        ignore_label: Label of ignored pixels.
    """

    def __init__(self, supernet: Supernet, threshold: float = 0.7, ignore_label: int = 255):
        self.supernet = supernet
        self.threshold = threshold
        self.ignore_label = ignore_label
        self._cross_entropy = trace_once(self._traced_cross_entropy, on_jax=False)

    def __call__(
        self,
        images: Any,
        labels: Any,
        choices: Choices,
        training: bool = True,
        frozen: bool = False,
        class_weights: Sequence[float] | None = None,
    ) -> Any:
        """Computes the loss, a scalar.

        Args:
            images: `(batch, height, width, 3)`.
            labels: `(batch, height, width)`; every eighth row and column is used.
            choices: One or several settings.
            training: Whether batch statistics are used and the running ones updated.
            frozen: True if the weights of the cells need no gradient.
            class_weights: Weight of every class; `None`: equal weights.
        """
        predictions = self.supernet(images, choices=choices, training=training, frozen=frozen)
        labels = labels[:, ::LABEL_STRIDE, ::LABEL_STRIDE]
        parts = (ops.split(logits, choices.settings) for logits in predictions)
        weights = None if class_weights is None else tuple(class_weights)
        return sum(
            self._cross_entropy(labels, each, class_weights=weights)
            for part in parts
            for each in part
        )

    def _traced_cross_entropy(self, labels, logits, class_weights):
        return ohem_cross_entropy(
            labels,
            logits,
            threshold=self.threshold,
            ignore_label=self.ignore_label,
            class_weights=class_weights,
        )
