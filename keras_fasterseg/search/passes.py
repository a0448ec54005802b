"""Passes through the supernet, one after the other: their losses and gradients, summed."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.spaces.fasterseg.choices import Choices, uniform_widths
from keras_fasterseg.spaces.fasterseg.supernet import Supernet

LABEL_STRIDE = 8


def stack_widths(widths: Sequence[tuple[Any, Any, Any]]) -> tuple[Any, Any, Any]:
    """Several settings of the widths as one: each tensor gets a first axis of settings."""
    return tuple(tf.stack(rows) for rows in zip(*widths, strict=True))


def uniform_setting(supernet: Supernet, index: int) -> tuple[Any, Any, Any]:
    """Width `index` at every node of `supernet`, as one-hot tensors."""
    return uniform_widths(index, supernet.num_layers, len(supernet.width_multipliers))


class SupernetPasses:
    """Losses and gradients of several passes that differ in their widths.

    A training step runs several passes (widest, narrowest, sampled) and sums their gradients. They
    are iterations of one loop in the graph: traced once, and one ends before the next one starts,
    so that memory is that of one pass.

    Args:
        supernet: The built supernet.
        threshold: Of the OHEM cross-entropy.
        ignore_label: Label of pixels that do not count.
    """

    def __init__(self, supernet: Supernet, threshold: float = 0.7, ignore_label: int = 255):
        self.supernet = supernet
        self.threshold = threshold
        self.ignore_label = ignore_label

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

    def weight_gradients(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        choices: Choices,
        initial: list[tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Summed loss and gradient to every trainable weight; zero to the other role's.

        Args:
            images: `(batch, height, width, 3)`.
            labels: `(batch, height, width)`.
            choices: Its widths have a first axis of settings, one pass each: see `stack_widths`.
            initial: Gradients that these are added to.
        """
        weights = [variable.value for variable in self.supernet.trainable_variables]

        def run(setting: Choices):
            with tf.GradientTape() as tape:
                loss = self.loss(images, labels, setting)
            return loss, tape.gradient(
                loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )

        def add(totals, gradients, index):
            return [total + gradient for total, gradient in zip(totals, gradients, strict=True)]

        if initial is None:
            initial = [tf.zeros_like(weight) for weight in weights]
        return _sum_over_settings(run, add, choices, initial)

    def choice_gradients(
        self, images: tf.Tensor, labels: tf.Tensor, choices: Choices
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Summed loss and gradient to the tensors of `choices`, in the order of `tf.nest`.

        Args:
            images: `(batch, height, width, 3)`.
            labels: `(batch, height, width)`.
            choices: Its widths have a first axis of settings, one pass each: see `stack_widths`.
        """
        shared = len(tf.nest.flatten((choices.alphas, choices.betas)))

        def run(setting: Choices):
            tensors = tf.nest.flatten(setting)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(tensors)
                loss = self.loss(images, labels, setting, frozen=True)
            return loss, tape.gradient(
                loss, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )

        def add(totals, gradients, index):
            # Alphas and betas are the same in all passes, the widths are each pass's own.
            return [
                total + gradient
                if position < shared
                else tf.tensor_scatter_nd_update(total, [[index]], [gradient])
                for position, (total, gradient) in enumerate(zip(totals, gradients, strict=True))
            ]

        zeros = [tf.zeros_like(tensor) for tensor in tf.nest.flatten(choices)]
        return _sum_over_settings(run, add, choices, zeros)


def _sum_over_settings(run, add, choices: Choices, initial: list[tf.Tensor]):
    def body(index, loss, totals):
        widths = tuple(rows[index] for rows in choices.widths)
        part, gradients = run(dataclasses.replace(choices, widths=widths))
        return index + 1, loss + part, add(totals, gradients, index)

    count = choices.widths[0].shape[0]
    _, loss, totals = tf.while_loop(
        lambda index, *_: index < count,
        body,
        (tf.constant(0), tf.constant(0.0), initial),
        parallel_iterations=1,
        maximum_iterations=count,
    )
    return loss, totals


def clipped(gradients: list[tf.Tensor], norm: float) -> list[tf.Tensor]:
    """`gradients`, scaled down together if their global norm exceeds `norm`."""
    scale = norm / tf.maximum(tf.linalg.global_norm(gradients), norm)
    return [gradient * scale for gradient in gradients]
