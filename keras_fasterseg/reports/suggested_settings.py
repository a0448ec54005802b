"""Settings that suit the images and labels of a data set."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.run.class_weights import histogram_weights
from keras_fasterseg.setting import LEAST_TRAINED_SIDE, Size
from keras_fasterseg.settings.search import SearchSettings
from keras_fasterseg.settings.training import TrainSettings


@dataclasses.dataclass(frozen=True)
class SuggestedSettings:
    """Settings that suit a data set.

    Attributes:
        student_crop_size: Height and width of the crops that networks are trained on.
        search_crop_size: Height and width of the search's crops, from downsampled images.
        search_downsample: Downsampling factor of the search.
        latency_size: Height and width to measure latencies at.
        class_weights: A weight for every class, from its share; `None` if no pixel is labelled.
    """

    student_crop_size: Size
    search_crop_size: Size
    search_downsample: int
    latency_size: Size
    class_weights: tuple[float, ...] | None

    def flags(self) -> tuple[str, ...]:
        """Returns the sizes as flags of `tools.run_all`, also for the teacher and pretraining.

        Class weights are not included: whether a rare class is worth some accuracy on the others
        cannot be decided from the data.
        """
        found = [f"--latency_size={_text(self.latency_size)}"]
        for stage in ("pretrain", "search"):
            found.append(f"--{stage}_downsample={self.search_downsample}")
            found.append(f"--{stage}_crop_size={_text(self.search_crop_size)}")
        for role in ("teacher", "student"):
            found.append(f"--{role}_crop_size={_text(self.student_crop_size)}")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as plain values."""
        return dataclasses.asdict(self)


def suggest_settings(sizes: Mapping[Size, int], class_pixels: np.ndarray) -> SuggestedSettings:
    """Returns settings for images of the median height and width.

    Crops are as large as the image but have no more pixels than the paper's crops, which are the
    default settings: 512x1024 in training, 224x448 in the search.

    Args:
        sizes: Number of images of each height and width; at least one image.
        class_pixels: Number of labelled pixels of each class, of shape `(num_classes,)`.
    """
    counts = list(sizes.values())
    height, width = (int(np.median(np.repeat(sides, counts))) for sides in zip(*sizes, strict=True))
    # A small image, once halved, is too small for any crop.
    downsample = SearchSettings.downsample if min(height, width) >= 2 * LEAST_TRAINED_SIDE else 1
    return SuggestedSettings(
        student_crop_size=_crop((height, width), TrainSettings.crop_size),
        search_crop_size=_crop(
            (height // downsample, width // downsample), SearchSettings.crop_size
        ),
        search_downsample=downsample,
        latency_size=_multiples((height, width), round),
        class_weights=histogram_weights(class_pixels) if np.sum(class_pixels) else None,
    )


def _crop(size: Size, largest: Size) -> Size:
    """Shrinks `size` to at most the pixels of `largest`, keeping its aspect ratio."""
    factor = min(1.0, math.sqrt(math.prod(largest) / math.prod(size)))
    return _multiples((size[0] * factor, size[1] * factor), math.floor)


def _multiples(size: tuple[float, float], rounding) -> Size:
    height, width = (
        max(LEAST_TRAINED_SIDE, SIZE_MULTIPLE * rounding(side / SIZE_MULTIPLE)) for side in size
    )
    return height, width


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
