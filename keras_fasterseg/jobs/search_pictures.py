"""Pictures of a search in TensorBoard after every epoch."""

import pathlib
from collections.abc import Sequence

import keras
import numpy as np

from keras_fasterseg.image_normalization import check_normalization, normalize_images
from keras_fasterseg.reports.draw_architecture import draw_architecture
from keras_fasterseg.reports.search_records import search_curves
from keras_fasterseg.run.datasets import LabelledImage
from keras_fasterseg.run.epoch_summaries import EpochSummaries
from keras_fasterseg.run.search_report import SearchReport, without_nan
from keras_fasterseg.search.ranking import class_ids
from keras_fasterseg.spaces.roles import STUDENT
from keras_fasterseg.visualization.card import figure_pixels
from keras_fasterseg.visualization.prediction_grid import label_panels, prediction_grid
from keras_fasterseg.visualization.search_curves import search_figure


class SearchPictures(keras.callbacks.Callback):
    """Draws the findings of `SearchReport`: all networks, the search so far, sample predictions.

    It must follow that callback in the list, and has no state to resume. Samples are predicted by
    the networks with inherited weights.

    Args:
        folder: Folder of the search; pictures are written to its `tensorboard/pictures`.
        report: The callback that derives and scores the networks.
        images: A few images with labels, whose sides are multiples of 32.
        palette: `(classes, 3)` uint8, the colours of the classes.
        mean: Mean of each channel, to normalise the images for the supernet.
        std: Standard deviation of each channel, likewise.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        report: SearchReport,
        images: Sequence[LabelledImage],
        palette: np.ndarray,
        mean: Sequence[float],
        std: Sequence[float],
    ):
        super().__init__()
        self.report = report
        self.images = images
        self.palette = palette
        self._mean, self._std = check_normalization(mean, std)
        self._summaries = EpochSummaries(folder / "tensorboard" / "pictures")

    def on_epoch_end(self, epoch, logs=None):
        curves = search_figure(
            search_curves(without_nan(self.report.records)), f"After epoch {epoch + 1}"
        )
        with self._summaries.epoch(epoch) as events:
            for role in self.report.best:
                events.image(f"architecture/{role}", figure_pixels(self._architecture(role)))
            events.image("search", figure_pixels(curves))
            events.image("predictions", self._predictions())

    def _architecture(self, role: str):
        table = self.report.table
        return draw_architecture(
            self.report.best[role].genotype,
            table.metadata.input_size,
            self.report.search_model.num_classes,
            # The table has the stem and heads of the student only.
            table=table if role == STUDENT else None,
            name=role,
        )

    def _predictions(self) -> np.ndarray:
        maps = [[label] for _, label in self.images]
        for role, best in self.report.best.items():
            with self.report.ranker.network(role, best.genotype) as network:
                for own, (image, _) in zip(maps, self.images, strict=True):
                    normalized = normalize_images(image[np.newaxis], self._mean, self._std)
                    own.append(class_ids(network, normalized)[0])
        rows = [
            label_panels(image, own, self.palette)
            for (image, _), own in zip(self.images, maps, strict=True)
        ]
        return prediction_grid(rows, ["image", "label", *self.report.best])
