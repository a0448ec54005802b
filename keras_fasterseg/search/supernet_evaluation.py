"""Accuracy of the supernet before any network is derived. Compiles on JAX."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.metrics.confusion_matrix import confusion_of
from keras_fasterseg.metrics.mean_iou import iou_from_confusion
from keras_fasterseg.runtimes.backend_device import backend_device
from keras_fasterseg.search.batch_statistics import estimated_statistics
from keras_fasterseg.spaces.base import Choices, SearchModel


class SupernetEvaluator:
    """Computes the mean IoU of the supernet's predictions, at full size, on labelled batches.

    Args:
        model: The supernet and the architectures.
        training: Training batches, from which the statistics of batch normalisation are estimated
            for every score. Empty: the running statistics are used.
        batches: Re-iterable batches of normalised images and labels (255: ignored); sides are
            multiples of 32.
    """

    def __init__(
        self,
        model: SearchModel,
        training: Sequence[tuple[Any, Any]],
        batches: Iterable[tuple[Any, Any]],
    ):
        self.model = model
        self.training = training
        self.batches = batches
        self._functions: dict[Any, Any] = {}

    def __call__(self, role: str, discretized: bool = False) -> dict[str, float]:
        """Returns the mean IoU by name of the prediction, such as `scale_8_32`.

        Args:
            role: Role of the architecture to evaluate.
            discretized: Whether to replace its mixtures by their likeliest entries.
        """
        classes = self.model.num_classes
        choices = self._choices(role, discretized)
        confusions: dict[str, np.ndarray] = {}
        with estimated_statistics(
            self.model.supernet,
            self.training,
            lambda images, labels: self.model.loss(images, labels, choices, frozen=True),
        ):
            for images, labels in self.batches:
                labels = np.asarray(labels)
                for name, ids in self.class_ids(role, images, discretized).items():
                    confusions[name] = confusions.get(name, 0) + confusion_of(labels, ids, classes)
        return {name: float(iou_from_confusion(each).mean) for name, each in confusions.items()}

    def class_ids(self, role: str, images: Any, discretized: bool = False) -> dict[str, np.ndarray]:
        """Returns class ids, uint8 `(batch, height, width)`, by name of the prediction."""
        if keras.backend.backend() == "jax":
            ids = self._with_jax(role, images, discretized)
        else:
            # Joined batches are few: tracing a supernet would take longer than running it.
            choices = self._choices(role, discretized)
            ids = self._class_ids(ops.convert_to_tensor(images), choices)
        return {name: np.asarray(each).astype(np.uint8) for name, each in ids.items()}

    def _choices(self, role: str, discretized: bool) -> Choices:
        choices = self.model.evaluation_choices(role)
        return self.model.discretized(choices) if discretized else choices

    def _class_ids(self, images: Any, choices: Choices) -> dict[str, Any]:
        size = ops.shape(images)[1:3]
        return {
            name: ops.argmax(resize_bilinear(logits, size), axis=-1)
            for name, logits in self.model.predictions(images, choices).items()
        }

    def _with_jax(self, role: str, images: Any, discretized: bool) -> dict[str, Any]:
        layers = [self.model.supernet, *self.model.architectures.values()]
        variables = [variable for layer in layers for variable in layer.variables]
        key = role, discretized
        if key not in self._functions:
            self._functions[key] = backend_device().compiled(
                lambda images: self._class_ids(images, self._choices(role, discretized)), variables
            )
        return self._functions[key](np.asarray(images))
