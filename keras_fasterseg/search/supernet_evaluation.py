"""Accuracy of the supernet under one setting, before any network is derived."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.metrics.confusion_matrix import confusion_of
from keras_fasterseg.metrics.mean_iou import iou_from_confusion
from keras_fasterseg.spaces.fasterseg.choices import Choices
from keras_fasterseg.spaces.fasterseg.supernet import Supernet
from keras_fasterseg.spaces.fasterseg.supernet_decoder import Predictions

_ANY_SIZE = tf.TensorSpec((None, None, None, 3), tf.float32, name="images")


class SupernetEvaluator:
    """Mean IoU of the supernet's five predictions, at full size, on labelled batches.

    Args:
        supernet: The supernet.
        batches: Repeatable batches of normalised images and labels (255: ignored), sides multiples
            of 32.
    """

    def __init__(self, supernet: Supernet, batches: Iterable[tuple[Any, Any]]):
        self.supernet = supernet
        self.batches = batches
        self._functions: dict[Any, Any] = {}

    def __call__(self, choices: Choices) -> dict[str, float]:
        """Mean IoU by name of the prediction, such as `scale_8_32`."""
        classes = self.supernet.num_classes
        confusions = {name: np.zeros((classes, classes), np.int64) for name in Predictions._fields}
        for images, labels in self.batches:
            labels = np.asarray(labels)
            for name, ids in self.class_ids(images, choices).items():
                confusions[name] += confusion_of(labels, ids, classes)
        return {name: float(iou_from_confusion(each).mean) for name, each in confusions.items()}

    def class_ids(self, images: Any, choices: Choices) -> dict[str, np.ndarray]:
        """Class ids of every pixel, uint8 `(batch, height, width)`, by name of the prediction."""
        predictions = self._function(choices)(images, choices)
        return {
            name: ids.numpy().astype(np.uint8)
            for name, ids in zip(Predictions._fields, predictions, strict=True)
        }

    def _function(self, choices: Choices):
        # With the size left open there is one trace a role, however many sizes the images have.
        constants, _ = choices.__tf_flatten__()
        if constants not in self._functions:
            signature = _ANY_SIZE, tf.nest.map_structure(tf.TensorSpec.from_tensor, choices)
            self._functions[constants] = tf.function(
                self._class_ids, input_signature=signature, autograph=False
            )
        return self._functions[constants]

    def _class_ids(self, images, choices):
        size = tf.shape(images)[1], tf.shape(images)[2]
        predictions = self.supernet(images, choices=choices, training=False, frozen=True)
        return [tf.argmax(resize_bilinear(logits, size), axis=-1) for logits in predictions]


def discretized(choices: Choices) -> Choices:
    """`choices` with every alpha and beta replaced by its likeliest entry."""

    def one_hot(rows):
        return tf.one_hot(tf.argmax(rows, axis=-1), rows.shape[-1])

    return dataclasses.replace(
        choices,
        alphas=tuple(one_hot(rows) for rows in choices.alphas),
        betas=tuple(one_hot(rows) for rows in choices.betas),
    )
