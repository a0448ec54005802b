"""One pass through the supernet under one setting: its loss and its gradients."""

from typing import Any

import keras
import tensorflow as tf

from keras_fasterseg.layers.layer_stack import trace_once
from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.spaces.fasterseg.choices import Choices
from keras_fasterseg.spaces.fasterseg.supernet import Supernet

LABEL_STRIDE = 8


class SupernetPasses:
    """Losses and gradients of single passes.

    A training step runs several passes (teacher, student, widest, narrowest) and sums their
    gradients. Each kind of pass is a function of its own in the graph, called once a setting: it is
    traced once, and one pass must end before the next one starts, so that memory is that of one.

    Args:
        supernet: The built supernet.
        threshold: Of the OHEM cross-entropy.
        ignore_label: Label of pixels that do not count.
    """

    def __init__(self, supernet: Supernet, threshold: float = 0.7, ignore_label: int = 255):
        self.supernet = supernet
        self.threshold = threshold
        self.ignore_label = ignore_label
        self.weight_gradients = trace_once(self._weight_gradients)
        self.choice_gradients = trace_once(self._choice_gradients)

    def loss(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        choices: Choices,
        training: bool = True,
        frozen: bool = False,
    ) -> tf.Tensor:
        """Unweighted sum of OHEM cross-entropies over the five predictions.

        Args:
            images: `(batch, height, width, 3)`.
            labels: `(batch, height, width)`; every eighth row and column is compared.
            choices: The setting.
            training: Whether batch statistics are used and the running ones updated.
            frozen: Whether weights get no gradient.
        """
        predictions = self.supernet(images, choices=choices, training=training, frozen=frozen)
        labels = labels[:, ::LABEL_STRIDE, ::LABEL_STRIDE]
        return tf.add_n(
            [
                ohem_cross_entropy(
                    labels, logits, threshold=self.threshold, ignore_label=self.ignore_label
                )
                for logits in predictions
            ]
        )

    def _weight_gradients(
        self, images: tf.Tensor, labels: tf.Tensor, choices: Choices
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The loss and its gradient to every trainable weight; zero to the other role's."""
        weights = [variable.value for variable in self.supernet.trainable_variables]
        with tf.GradientTape() as tape:
            loss = self.loss(images, labels, choices)
        zero = tf.UnconnectedGradients.ZERO
        return loss, tape.gradient(loss, weights, unconnected_gradients=zero)

    def _choice_gradients(
        self, images: tf.Tensor, labels: tf.Tensor, choices: Choices
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The loss and its gradient to the tensors of `choices`, in the order of `tf.nest`."""
        tensors = tf.nest.flatten(choices)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            loss = self.loss(images, labels, choices, frozen=True)
        zero = tf.UnconnectedGradients.ZERO
        return loss, tape.gradient(loss, tensors, unconnected_gradients=zero)


def sum_gradients(parts: list[list[Any]]) -> list[Any]:
    """The element-wise sum of several lists of gradients."""
    total = parts[0]
    for part in parts[1:]:
        total = [left + right for left, right in zip(total, part, strict=True)]
    return total


def apply_gradients(
    optimizer: keras.optimizers.Optimizer,
    gradients: list[tf.Tensor],
    weights: list[Any],
    clip_norm: float | None,
    weight_decay: float,
) -> None:
    """Clips gradients by their global norm, adds `weight_decay * weight` to each and applies them.

    It is a function of its own in the graph, so that nothing of it is computed, and held in memory,
    while the passes still run.

    Args:
        optimizer: The built optimizer of the weights.
        gradients: One a weight.
        weights: The variables.
        clip_norm: Largest global norm; `None` does not clip.
        weight_decay: Factor of the L2 term, which is part of the gradient (SGD's momentum sees it).

    Reference:
        The released search loop: `clip_grad_norm_`, then PyTorch's SGD with `weight_decay`.
    """

    def apply(*gradients):
        scale = 1.0
        if clip_norm is not None:
            scale = clip_norm / tf.maximum(tf.linalg.global_norm(gradients), clip_norm)
        decayed = [
            gradient * scale + weight_decay * tf.convert_to_tensor(weight)
            for gradient, weight in zip(gradients, weights, strict=True)
        ]
        optimizer.apply(decayed, weights)

    trace_once(apply)(*gradients)
