"""Scores of networks before their training, with the weights of a supernet."""

import contextlib
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.metrics.confusion_matrix import confusion_of
from keras_fasterseg.metrics.mean_iou import iou_from_confusion
from keras_fasterseg.search.batch_statistics import estimated_statistics
from keras_fasterseg.spaces.base import SearchModel
from keras_fasterseg.spaces.genotype import Genotype


class Ranker:
    """Computes the mean IoU of networks that inherit the weights of a supernet.

    The supernet is not changed.

    Args:
        model: The supernet.
        training: Batches of normalised training images and labels, from which every network's
            statistics of batch normalisation are estimated. Empty: networks keep those of the
            supernet.
        samples: Re-iterable batches of normalised images and labels (255: ignored) to score with;
            sides are multiples of 32.
    """

    def __init__(
        self,
        model: SearchModel,
        training: Sequence[tuple[Any, Any]],
        samples: Iterable[tuple[Any, Any]],
    ):
        self.model = model
        self.training = training
        self.samples = samples

    def __call__(self, role: str, genotype: Genotype) -> float:
        """Returns the mean IoU of a network; NaN without samples.

        Args:
            role: Role whose stem and heads the network inherits.
            genotype: The network.
        """
        confusion = np.zeros((self.model.num_classes,) * 2, np.int64)
        with self.network(role, genotype) as network:
            for images, labels in self.samples:
                confusion += confusion_of(
                    np.asarray(labels), class_ids(network, images), self.model.num_classes
                )
        return float(iou_from_confusion(confusion).mean)

    @contextlib.contextmanager
    def network(self, role: str, genotype: Genotype) -> Iterator[keras.Model]:
        """The network with inherited weights and its own statistics; it predicts logits.

        It may share the supernet's variables, which have their values again on leaving.
        """
        # Keras draws the seeds of initial weights, replaced here, from Python's generator.
        drawn = random.getstate()
        try:
            network = self.model.inherited(role, genotype)
        finally:
            random.setstate(drawn)
        with estimated_statistics(
            network, self.training, lambda images, labels: network(images, training=True)
        ):
            yield network


def class_ids(network: keras.Model, images: Any) -> np.ndarray:
    """Class ids, uint8 `(batch, height, width)`, of a model that predicts logits of any size."""
    images = ops.convert_to_tensor(images)
    logits = resize_bilinear(network(images, training=False), tuple(images.shape[1:3]))
    return ops.convert_to_numpy(ops.argmax(logits, axis=-1)).astype(np.uint8)
