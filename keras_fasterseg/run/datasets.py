"""Sources and batches built from data settings."""

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging

from keras_fasterseg import workers
from keras_fasterseg.data.check_samples import check_samples
from keras_fasterseg.data.class_order import in_class_order
from keras_fasterseg.data.label_encodings import check_label_encodings
from keras_fasterseg.data.pipeline import (
    LabelledBatches,
    evaluation_dataset,
    training_dataset,
    zipped,
)
from keras_fasterseg.data.pipeline_settings import TrainingPipeline
from keras_fasterseg.data.registry import load_source
from keras_fasterseg.data.search_parts import SearchParts
from keras_fasterseg.data.source import Sample, SegmentationSource
from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.run.dataset_warnings import warn_of_files
from keras_fasterseg.setting import Size, check_settings, require
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.wording import counted

LabelledImage = tuple[np.ndarray, np.ndarray]
"""A uint8 image `(height, width, 3)` and class ids `(height, width)`; 255 is ignored."""

_SHOWN_IMAGES = 3
_ESTIMATION_BATCHES = 15
# Scored networks are not compiled, so that small batches would take the time of their operations'
# calls. A supernet's memory for a forward pass of so many pixels is below that of a training step.
_SCORED_PIXELS = 500_000


def open_source(
    settings: DataSettings, workdir: pathlib.Path, seed: int, progress: bool = True
) -> SegmentationSource:
    """Opens the data set; generates it first if it is the synthetic one and no folder is named.

    Raises:
        ValueError: The data set is unknown, or its folder is not named.
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
    """True if the run generates its data set."""
    return settings.dataset == "synthetic" and settings.data_dir is None


def named_data_dir(settings: DataSettings) -> str:
    """Returns the folder of the data set; raises `ValueError` if none is named."""
    if settings.data_dir is None:
        raise ValueError(f"The data set {settings.dataset!r} needs its folder; set --data_dir.")
    return settings.data_dir


def check_source(source: SegmentationSource, settings: DataSettings, progress: bool = True) -> None:
    """Opens every file of both splits once, and warns of anything that may spoil the result.

    Raises:
        DataError: A file is missing or faulty, or the labels are encoded inconsistently; the
            message names the file.
    """
    splits = tuple(dict.fromkeys((settings.train_split, settings.val_split)))
    for split in splits:
        check_samples(source, split, progress=progress)
    check_label_encodings(source, (each for split in splits for each in source.samples(split)))
    shared = set(source.parts(settings.train_split)) & set(source.parts(settings.val_split))
    if shared:
        logging.warning(
            "The split %s is used for both training and scoring: the score says nothing about "
            "unseen images.",
            ", ".join(sorted(shared)),
        )
    warn_of_files(source, splits)


@dataclasses.dataclass(frozen=True)
class Batches:
    """Endless training batches and the length of an epoch.

    Attributes:
        make: Returns the batches after the given number of skipped ones, which are not read, as
            `keras.Model.fit` accepts them.
        steps_per_epoch: Batches per epoch.
    """

    make: Callable[[int], Any]
    steps_per_epoch: int

    def from_epoch(self, epoch: int, step: int = 0) -> Any:
        """Returns the batches from step `step` of epoch `epoch` onwards, both counted from 0."""
        return self.make(epoch * self.steps_per_epoch + step)


@dataclasses.dataclass(frozen=True)
class JoinedBatches:
    """Batches in order, neighbours of one image size joined to larger ones.

    Attributes:
        batches: Images and labels; if they can be iterated repeatedly, so can this.
        pixels: A batch joins the one before if both together have at most so many pixels.
    """

    batches: Iterable[tuple[Any, Any]]
    pixels: int = _SCORED_PIXELS

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        joined: list[tuple[np.ndarray, np.ndarray]] = []
        for images, labels in self.batches:
            batch = np.asarray(images), np.asarray(labels)
            if joined and (
                joined[0][0].shape[1:] != batch[0].shape[1:]
                or sum(labels.size for _, labels in (*joined, batch)) > self.pixels
            ):
                yield _concatenated(joined)
                joined = []
            joined.append(batch)
        if joined:
            yield _concatenated(joined)


def _concatenated(batches: Sequence[tuple[np.ndarray, np.ndarray]]):
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def training_batches(
    source: SegmentationSource,
    samples: tuple[Sample, ...],
    settings: TrainingPipeline,
    steps_per_epoch: int | None,
) -> Batches:
    """Returns endless augmented batches of `samples`.

    Raises:
        ValueError: The samples do not fill a batch, or the first one is too small.
    """
    if samples:
        first = samples[0]
        check_downsample(source.read_size(first), settings.downsample, str(first.image))
    require(
        len(samples) >= settings.batch_size,
        f"{counted(len(samples), 'image')} cannot fill a batch of {settings.batch_size}; "
        "set a smaller batch size or provide more images.",
    )
    return Batches(
        functools.partial(training_dataset, samples, source, settings),
        steps_per_epoch or len(samples) // settings.batch_size,
    )


def batch_options(
    settings: PretrainSettings | SearchSettings | TrainSettings, data: DataSettings, seed: int
) -> dict[str, Any]:
    """Returns the keyword arguments of `training_batches` that follow from a job's settings.

    Raises:
        ValueError: A setting is out of its limits.
    """
    check_settings(settings)
    pipeline = TrainingPipeline(
        settings.batch_size,
        settings.crop_size,
        scales=settings.scales,
        shift=settings.shift,
        color_jitter=settings.color_jitter,
        downsample=settings.downsample,
        seed=seed,
        cache=data.cache,
        part=(workers.rank(), workers.total()),
    )
    return {"settings": pipeline, "steps_per_epoch": settings.steps_per_epoch}


def bilevel_batches(
    source: SegmentationSource,
    parts: SearchParts,
    settings: TrainingPipeline,
    steps_per_epoch: int | None,
) -> Batches:
    """Returns pairs of batches from disjoint halves: for weights and architectures."""
    weights, architecture = (
        training_batches(
            source, half, dataclasses.replace(settings, seed=settings.seed + index), steps_per_epoch
        )
        for index, half in enumerate((parts.weights, parts.architecture))
    )

    def make(skip_batches: int) -> Any:
        return zipped(weights.make(skip_batches), architecture.make(skip_batches))

    return Batches(make, min(weights.steps_per_epoch, architecture.steps_per_epoch))


def estimation_batches(
    source: SegmentationSource,
    samples: tuple[Sample, ...],
    settings: TrainingPipeline,
    steps_per_epoch: int | None,
) -> list[tuple[Any, Any]]:
    """Returns a few training batches, always the same, to estimate batch statistics with."""
    whole = dataclasses.replace(settings, part=(0, 1))
    batches = training_batches(source, samples, whole, steps_per_epoch).make(0)
    return list(JoinedBatches(itertools.islice(batches, _ESTIMATION_BATCHES)))


def evaluation_images(source: SegmentationSource, split: str) -> LabelledBatches:
    """Returns the uncropped uint8 images and labels of a split, one by one, for a `Runner`."""
    samples = source.samples(split)
    check_label_encodings(source, samples)
    return evaluation_dataset(samples, source, normalize=False)


def ranking_batches(
    source: SegmentationSource, samples: Sequence[Sample], count: int, downsample: int
) -> JoinedBatches:
    """Returns `count` evenly spaced full images, normalised and padded to multiples of 32."""
    images = evaluation_dataset(
        evenly_spaced(samples, count),
        source,
        downsample=downsample,
        size_multiple=SIZE_MULTIPLE,
    )
    return JoinedBatches(images)


def shown_images(
    source: SegmentationSource, split: str, downsample: int = 1, size_multiple: int = 1
) -> tuple[LabelledImage, ...]:
    """Returns the few images of a split shown in pictures: evenly spaced, always the same."""
    dataset = evaluation_dataset(
        evenly_spaced(source.samples(split), _SHOWN_IMAGES),
        source,
        downsample=downsample,
        size_multiple=size_multiple,
        normalize=False,
    )
    return tuple(
        (np.asarray(image)[0], np.asarray(label)[0].astype(np.uint8)) for image, label in dataset
    )


def evenly_spaced(samples: Sequence[Sample], count: int) -> tuple[Sample, ...]:
    """Returns `count` samples (all if there are fewer), evenly spaced: neighbours are alike."""
    count = min(count, len(samples))
    return tuple(samples[index * len(samples) // count] for index in range(count))


def check_downsample(size: Size, downsample: int, image: str = "The first training image") -> None:
    """Raises `ValueError` unless an image of `size` is at least 32 x 32 after downsampling."""
    height, width = size
    require(
        min(height, width) // downsample >= SIZE_MULTIPLE,
        f"{image} is {height}x{width}; with `downsample`={downsample} it is smaller than "
        f"{SIZE_MULTIPLE}x{SIZE_MULTIPLE}. Set a smaller downsample or provide larger images.",
    )
