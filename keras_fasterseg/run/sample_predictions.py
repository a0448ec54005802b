"""Sample predictions of a network in training, for TensorBoard."""

import pathlib
from collections.abc import Sequence

import keras
import numpy as np

from keras_fasterseg.run.datasets import LabelledImage
from keras_fasterseg.run.epoch_summaries import EpochSummaries
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.training.keep_best import KeepBest
from keras_fasterseg.visualization.prediction_grid import label_panels, prediction_grid


class SamplePredictions(keras.callbacks.Callback):
    """Shows images, labels and predictions after every evaluation.

    It must follow its `KeepBest` in the list of callbacks, and has no state to save.

    Args:
        folder: Folder of the training; pictures are written to its `tensorboard/pictures`.
        keep_best: The callback that evaluates.
        runner: Runner of the network that `keep_best` evaluates.
        images: A few images with labels.
        palette: Colours of the classes, uint8 of shape `(classes, 3)`.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        keep_best: KeepBest,
        runner: Runner,
        images: Sequence[LabelledImage],
        palette: np.ndarray,
    ):
        super().__init__()
        self.keep_best = keep_best
        self.runner = runner
        self.images = images
        self.palette = palette
        self._summaries = EpochSummaries(folder / "tensorboard" / "pictures")

    def on_epoch_end(self, epoch, logs=None):
        if not self.keep_best.is_due(epoch):
            return
        rows = [
            label_panels(image, [label, self.runner(image[np.newaxis])[0]], self.palette)
            for image, label in self.images
        ]
        with self._summaries.epoch(epoch) as events:
            events.image("predictions", prediction_grid(rows, ["image", "label", "prediction"]))
