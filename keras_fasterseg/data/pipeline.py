"""Turns samples into batches, fully determined by a seed; a backend switch.

With the backend TensorFlow, batches are `tf.data` datasets. With any other, they are iterables of
NumPy arrays. Both have the same order and augmentation: labels are equal, and images differ by
rounding only.
"""

import types
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from keras_fasterseg.data.pipeline_settings import TrainingPipeline
from keras_fasterseg.data.source import Sample, SegmentationSource

LabelledBatches = Iterable[tuple[Any, Any]]
"""Pairs of images and labels: a `tf.data.Dataset` or an iterable of NumPy arrays."""


def training_dataset(
    samples: Sequence[Sample],
    source: SegmentationSource,
    settings: TrainingPipeline,
    skip_batches: int = 0,
) -> Any:
    """An endless stream of augmented training batches.

    Every epoch shuffles anew. Every sample is scaled, cropped, moved and mirrored at random;
    smaller samples are padded with the mean colour and label 255. Shuffling and augmentation
    depend only on the seed and on the number of previous samples. Two runs therefore agree bit for
    bit, and `skip_batches` resumes an interrupted training.

    Args:
        samples: The samples: `source.samples(split)` or one of its halves.
        source: The data set of the samples, which defines labels and normalisation.
        settings: Size, augmentation and seed of the batches.
        skip_batches: Number of batches to skip at the start, without reading them.

    Returns:
        `(images, labels)` for `keras.Model.fit` with `steps_per_epoch`: images
        `(batch, height, width, 3)` float32, `(image / 255 - mean) / std`, and labels
        `(batch, height, width)` int32, 255 where ignored. A `tf.data.Dataset`, or a generator that
        reads in other processes and ends them when it is closed. A faulty file stops the iteration
        with its `DataError`, or with `tf.errors.InvalidArgumentError` whose message contains it;
        `check_samples` finds such files beforehand.

    Raises:
        ValueError: There are no samples.
    """
    return _implementation().training_dataset(samples, source, settings, skip_batches)


def evaluation_dataset(
    samples: Sequence[Sample],
    source: SegmentationSource,
    *,
    downsample: int = 1,
    size_multiple: int = 1,
    normalize: bool = True,
) -> Any:
    """Complete images in the order of `samples`, one per batch.

    Args:
        samples: The samples: `source.samples(split)` or some of them.
        source: The data set of the samples, which defines labels and normalisation.
        downsample: Every image is first reduced by this factor.
        size_multiple: Pads height and width to a multiple of this, at the bottom and the right,
            with the mean colour and label 255.
        normalize: Whether to return `(image / 255 - mean) / std` in float32 instead of uint8.

    Returns:
        `(images, labels)` that can be iterated repeatedly and has a length: images
        `(1, height, width, 3)` and labels `(1, height, width)` int32, 255 where ignored. Faulty
        files as in `training_dataset`.

    Raises:
        ValueError: There are no samples.
        DataError: A file is missing or its size cannot be read.
    """
    return _implementation().evaluation_dataset(
        samples,
        source,
        downsample=downsample,
        size_multiple=size_multiple,
        normalize=normalize,
    )


def zipped(first: Any, second: Any) -> Any:
    """Endless pairs of a batch of each of two training datasets, for `keras.Model.fit`."""
    return _implementation().zipped(first, second)


def _implementation() -> types.ModuleType:
    if keras.backend.backend() == "tensorflow":
        from keras_fasterseg.data import tensorflow_pipeline as implementation
    else:
        from keras_fasterseg.data import numpy_pipeline as implementation
    return implementation
