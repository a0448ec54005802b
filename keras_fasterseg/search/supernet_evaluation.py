"""Accuracy of the supernet before any network is derived."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.metrics.confusion_matrix import confusion_of
from keras_fasterseg.metrics.mean_iou import iou_from_confusion
from keras_fasterseg.spaces.base import Choices, SearchModel

_ANY_SIZE = tf.TensorSpec((None, None, None, 3), tf.float32, name="images")


class SupernetEvaluator:
    """Computes the mean IoU of the supernet's predictions, at full size, on labelled batches.

    Args:
        model: The supernet and the architectures.
        batches: Re-iterable batches of normalised images and labels (255: ignored); sides are
            multiples of 32.
    """

    def __init__(self, model: SearchModel, batches: Iterable[tuple[Any, Any]]):
        self.model = model
        self.batches = batches
        self._functions: dict[str, Any] = {}

    def __call__(self, role: str, discretized: bool = False) -> dict[str, float]:
        """Returns the mean IoU by name of the prediction, such as `scale_8_32`.

        Args:
            role: Role of the architecture to evaluate.
            discretized: Whether to replace its mixtures by their likeliest entries.
        """
        choices = self.model.evaluation_choices(role)
        if discretized:
            choices = self.model.discretized(choices)
        classes = self.model.num_classes
        confusions: dict[str, np.ndarray] = {}
        for images, labels in self.batches:
            labels = np.asarray(labels)
            for name, ids in self._class_ids(role, images, choices).items():
                confusions[name] = confusions.get(name, 0) + confusion_of(labels, ids, classes)
        return {name: float(iou_from_confusion(each).mean) for name, each in confusions.items()}

    def class_ids(self, role: str, images: Any) -> dict[str, np.ndarray]:
        """Returns class ids, uint8 `(batch, height, width)`, by name of the prediction."""
        return self._class_ids(role, images, self.model.evaluation_choices(role))

    def _class_ids(self, role: str, images: Any, choices: Choices) -> dict[str, np.ndarray]:
        # With an open size, one trace per role is enough for images of any size.
        if role not in self._functions:
            signature = _ANY_SIZE, tf.nest.map_structure(tf.TensorSpec.from_tensor, choices)
            self._functions[role] = tf.function(
                self._traced_class_ids, input_signature=signature, autograph=False
            )
        ids = self._functions[role](images, choices)
        return {name: each.numpy().astype(np.uint8) for name, each in ids.items()}

    def _traced_class_ids(self, images, choices):
        size = tf.shape(images)[1], tf.shape(images)[2]
        return {
            name: tf.argmax(resize_bilinear(logits, size), axis=-1)
            for name, logits in self.model.predictions(images, choices).items()
        }
