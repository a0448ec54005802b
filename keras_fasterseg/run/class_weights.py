"""Conversion of the setting `class_weights` into a weight for every class."""

import math
from collections.abc import Sequence

import numpy as np

from keras_fasterseg.data.label_statistics import label_histogram
from keras_fasterseg.data.source import Sample, SegmentationSource
from keras_fasterseg.losses.ohem_cross_entropy import check_class_weights
from keras_fasterseg.setting import require

HISTOGRAM = "histogram"

# The constant c of the paper.
_ENET_OFFSET = 1.02


def resolve_class_weights(
    setting: str | None, source: SegmentationSource, samples: Sequence[Sample]
) -> tuple[float, ...] | None:
    """Returns the class weights for `setting`, in the order of the classes; `None` if it is unset.

    Args:
        setting: `None`, numbers separated by commas, `histogram` or `histogram:OFFSET`.
        source: The data set.
        samples: The labelled images whose pixels `histogram` counts.

    Raises:
        ValueError: The number of weights is not the number of classes, or a weight is invalid.
        DataError: A label cannot be read.
    """
    if setting is None:
        return None
    offset = _histogram_offset(setting)
    if offset is not None:
        return histogram_weights(label_histogram(samples, source), offset)
    weights = parse_weights(setting)
    check_class_weights(weights, source.num_classes)
    return weights


def check_class_weight_setting(
    setting: str | None, class_names: Sequence[str] | None = None
) -> None:
    """Raises `ValueError` if `resolve_class_weights` would, as far as known without the labels.

    Args:
        setting: The setting `class_weights`.
        class_names: Classes of the data set, if known.
    """
    if setting is not None and _histogram_offset(setting) is None:
        weights = parse_weights(setting)
        check_class_weights(weights, len(weights if class_names is None else class_names))


def _histogram_offset(setting: str) -> float | None:
    """The constant of `histogram_weights` in a setting; `None` if it lists weights."""
    name, colon, number = setting.partition(":")
    if name != HISTOGRAM:
        return None
    try:
        offset = float(number) if colon else _ENET_OFFSET
    except ValueError:
        offset = math.nan
    require(
        1 < offset < math.inf,
        f"`class_weights` must be {HISTOGRAM}:NUMBER with a number above 1, such as "
        f"{HISTOGRAM}:1.1. Received: {setting!r}",
    )
    return offset


def parse_weights(setting: str) -> tuple[float, ...]:
    """Parses numbers separated by commas, such as `1.0,0.5`.

    Raises:
        ValueError: `setting` is not such a list.
    """
    try:
        return tuple(float(text) for text in setting.split(","))
    except ValueError:
        raise ValueError(
            "`class_weights` must be numbers separated by commas, such as 1.0,0.5,2, or "
            f"{HISTOGRAM}. Received: {setting!r}"
        ) from None


def histogram_weights(histogram: np.ndarray, offset: float = _ENET_OFFSET) -> tuple[float, ...]:
    """Returns the weight `1 / ln(offset + p)` of every class.

    p is the class's share of the labelled pixels.

    Args:
        histogram: Number of labelled pixels of each class, of shape `(num_classes,)`.
        offset: ENet's constant c, above 1: the larger, the less the weights differ.

    Returns:
        Weights of at most `1 / ln(offset)`, which a class without pixels gets: 50.5 for an offset
            of 1.02, and 10.5 for 1.1.

    Raises:
        ValueError: No pixel is labelled.

    Reference:
        Paszke et al., "ENet: A Deep Neural Network Architecture for Real-Time Semantic
        Segmentation", section 5.2 (https://arxiv.org/abs/1606.02147).
    """
    total = int(np.sum(histogram))
    require(total > 0, "Class weights cannot be computed: no pixel is labelled.")
    return tuple(1 / math.log(offset + int(count) / total) for count in histogram)
