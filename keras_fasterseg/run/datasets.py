"""From data settings to sources and batches."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from keras_fasterseg.data.check_samples import check_samples
from keras_fasterseg.data.class_order import in_class_order
from keras_fasterseg.data.label_encodings import check_label_encodings
from keras_fasterseg.data.pipeline import TrainingPipeline, evaluation_dataset, training_dataset
from keras_fasterseg.data.registry import load_source
from keras_fasterseg.data.source import Sample, SegmentationSource
from keras_fasterseg.data.split_halves import split_halves
from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.run.dataset_warnings import warn_of_files
from keras_fasterseg.setting import Size, check_settings, require
from keras_fasterseg.settings.stages import (
    DataSettings,
    PretrainSettings,
    SearchSettings,
    TrainSettings,
)
from keras_fasterseg.wording import counted

LabelledImage = tuple[np.ndarray, np.ndarray]
"""uint8 image `(height, width, 3)` and class ids `(height, width)`, 255 where ignored."""

_SHOWN_IMAGES = 3


def open_source(
    settings: DataSettings, workdir: pathlib.Path, seed: int, progress: bool = True
) -> SegmentationSource:
    """The data set, generated first if it is the synthetic one and has no folder of its own.

    Raises:
        ValueError: There is no such data set, or its folder is not named.
        DataError: A folder or file is missing or faulty; the message names it.
    """
    if is_generated(settings):
        height, width = settings.synthetic_size
        source: SegmentationSource = generate(
            workdir / "data",
            num_train=settings.synthetic_train_images,
            num_val=settings.synthetic_val_images,
            height=height,
            width=width,
            seed=seed,
            progress=progress,
        )
        order = settings.class_order
        return source if order is None else in_class_order(source, order)
    folder = named_data_dir(settings)
    return load_source(settings.dataset, folder, settings.class_order, settings.max_megapixels)


def is_generated(settings: DataSettings) -> bool:
    """True if the data set is one that a run draws for itself."""
    return settings.dataset == "synthetic" and settings.data_dir is None


def named_data_dir(settings: DataSettings) -> str:
    """The folder of the data set; raises `ValueError` unless it is named."""
    if settings.data_dir is None:
        raise ValueError(f"The data set {settings.dataset!r} needs its folder; set --data_dir.")
    return settings.data_dir


def check_source(source: SegmentationSource, settings: DataSettings, progress: bool = True) -> None:
    """Opens every file of both splits once, and warns of what may spoil the result.

    Raises:
        DataError: A file is missing or faulty, or labels do not go together; the message names it.
    """
    splits = tuple(dict.fromkeys((settings.train_split, settings.val_split)))
    for split in splits:
        check_samples(source, split, progress=progress)
    check_label_encodings(source, (each for split in splits for each in source.samples(split)))
    shared = set(source.parts(settings.train_split)) & set(source.parts(settings.val_split))
    if shared:
        logging.warning(
            "The split %s is both trained and scored on: the score says nothing about images that "
            "a network has not seen.",
            ", ".join(sorted(shared)),
        )
    warn_of_files(source, splits)


@dataclasses.dataclass(frozen=True)
class Batches:
    """Endless training batches and how many of them make an epoch.

    Attributes:
        make: The batches without the first so many, which are not even read.
        steps_per_epoch: Batches of an epoch.
    """

    make: Callable[[int], tf.data.Dataset]
    steps_per_epoch: int

    def from_epoch(self, epoch: int, step: int = 0) -> tf.data.Dataset:
        """The batches from step `step` of epoch `epoch` on, both counted from 0."""
        return self.make(epoch * self.steps_per_epoch + step)


def training_batches(
    source: SegmentationSource,
    samples: tuple[Sample, ...],
    settings: TrainingPipeline,
    steps_per_epoch: int | None,
) -> Batches:
    """Augmented batches of `samples` without end.

    Raises:
        ValueError: There are fewer samples than a batch has, or they are too small.
    """
    if samples:
        first = samples[0]
        check_downsample(source.read_size(first), settings.downsample, str(first.image))
    require(
        len(samples) >= settings.batch_size,
        f"{counted(len(samples), 'image')} cannot fill a batch of {settings.batch_size}; "
        "set a smaller batch size or give more images.",
    )
    return Batches(
        functools.partial(training_dataset, samples, source, settings),
        steps_per_epoch or len(samples) // settings.batch_size,
    )


def batch_options(
    settings: PretrainSettings | SearchSettings | TrainSettings, data: DataSettings, seed: int
) -> dict[str, Any]:
    """The keyword arguments of `training_batches` that a job's settings hold.

    Raises:
        ValueError: One of the settings is out of its limits.
    """
    check_settings(settings)
    pipeline = TrainingPipeline(
        settings.batch_size,
        settings.crop_size,
        downsample=settings.downsample,
        seed=seed,
        cache=data.cache,
    )
    return {"settings": pipeline, "steps_per_epoch": settings.steps_per_epoch}


def bilevel_batches(
    source: SegmentationSource,
    samples: tuple[Sample, ...],
    settings: TrainingPipeline,
    steps_per_epoch: int | None,
) -> Batches:
    """Pairs of batches from two disjoint halves of `samples`: for weights and for architectures."""
    weights, architecture = (
        training_batches(
            source, half, dataclasses.replace(settings, seed=settings.seed + index), steps_per_epoch
        )
        for index, half in enumerate(split_halves(samples, settings.seed))
    )

    def make(skip_batches: int) -> tf.data.Dataset:
        return tf.data.Dataset.zip((weights.make(skip_batches), architecture.make(skip_batches)))

    return Batches(make, min(weights.steps_per_epoch, architecture.steps_per_epoch))


def evaluation_images(source: SegmentationSource, split: str) -> tf.data.Dataset:
    """Whole uint8 images and labels of a split, one by one, as a `Runner` takes them."""
    samples = source.samples(split)
    check_label_encodings(source, samples)
    return evaluation_dataset(samples, source, normalize=False)


def supernet_evaluation_batches(
    source: SegmentationSource, split: str, count: int, downsample: int
) -> tf.data.Dataset:
    """Whole normalised images of a split, `count` spread over it, padded to multiples of 32."""
    return evaluation_dataset(
        evenly_spaced(source.samples(split), count),
        source,
        downsample=downsample,
        size_multiple=SIZE_MULTIPLE,
    )


def shown_images(
    source: SegmentationSource, split: str, downsample: int = 1, size_multiple: int = 1
) -> tuple[LabelledImage, ...]:
    """The few images of a split that pictures show, spread over it and always the same ones."""
    dataset = evaluation_dataset(
        evenly_spaced(source.samples(split), _SHOWN_IMAGES),
        source,
        downsample=downsample,
        size_multiple=size_multiple,
        normalize=False,
    )
    return tuple((image.numpy()[0], label.numpy()[0].astype(np.uint8)) for image, label in dataset)


def evenly_spaced(samples: Sequence[Sample], count: int) -> tuple[Sample, ...]:
    """`count` of the samples, or all if there are fewer, spread over them: neighbours are alike."""
    count = min(count, len(samples))
    return tuple(samples[index * len(samples) // count] for index in range(count))


def check_downsample(size: Size, downsample: int, image: str = "The first training image") -> None:
    """Raises `ValueError` unless an image of `size` is at least 32 x 32 when it is made smaller."""
    height, width = size
    require(
        min(height, width) // downsample >= SIZE_MULTIPLE,
        f"{image} is {height}x{width}, by `downsample`={downsample} smaller than "
        f"{SIZE_MULTIPLE}x{SIZE_MULTIPLE}; set a smaller downsample or give larger images.",
    )
