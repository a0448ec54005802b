"""Checks of a run's data before its images are read."""

import dataclasses

import keras
from absl import logging

from keras_fasterseg.data.class_order import reordered
from keras_fasterseg.data.registry import load_source
from keras_fasterseg.data.search_parts import FEWEST_SAMPLES
from keras_fasterseg.data.source import TRAIN_AND_VAL
from keras_fasterseg.data.synthetic_streets import SyntheticStreets
from keras_fasterseg.run.datasets import (
    check_downsample,
    is_generated,
    named_data_dir,
)
from keras_fasterseg.run.local_devices import check_divisible
from keras_fasterseg.setting import Size, check_settings, require
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.wording import counted


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """Facts about a data set, known without reading its images.

    Attributes:
        class_names: Names of the classes.
        train_images: Number of images in the training split.
        val_images: Number of images in the validation split.
        size: Height and width of the first training image; all are assumed to be like it.
    """

    class_names: tuple[str, ...]
    train_images: int
    val_images: int
    size: Size


def check_data(settings: DataSettings) -> DataFacts:
    """Checks the data settings and returns facts about the data, without reading its images.

    Raises:
        ValueError: A setting is wrong: the data set, its folder or a split.
        DataError: The folder is missing or not in the layout of that data set, or an image has no
            label.
    """
    check_settings(settings, "--")
    splits = (settings.train_split, settings.val_split)
    if is_generated(settings):
        counts = {
            "train": settings.synthetic_train_images,
            "val": settings.synthetic_val_images,
        }
        for split in splits:
            for part in _parts(split):
                require(
                    part in counts,
                    f"The generated data set has no split {part!r}; it has {', '.join(counts)}.",
                )
        names = SyntheticStreets.class_names
        if settings.class_order is not None:
            names, _ = reordered(names, settings.class_order)
        train, val = (sum(counts[part] for part in _parts(split)) for split in splits)
        return DataFacts(names, train, val, settings.synthetic_size)
    folder = named_data_dir(settings)
    source = load_source(settings.dataset, folder, settings.class_order, settings.max_megapixels)
    train, val = (source.samples(split) for split in splits)
    return DataFacts(source.class_names, len(train), len(val), source.read_size(train[0]))


def check_images(
    stage: str,
    settings: PretrainSettings | SearchSettings | TrainSettings,
    facts: DataFacts,
    images: int | None = None,
) -> None:
    """Checks a stage's batches, downsampling and crops against the data.

    Warns if the crops exceed even the largest augmented images.

    Args:
        stage: Name of the stage, the prefix of its flags.
        settings: Settings of the stage.
        facts: Facts about the data.
        images: Number of training images from which a batch is drawn, if not all; see
            `data.search_parts.batch_images`.

    Raises:
        ValueError: A downsampled image is below 32 x 32, the images do not fill a batch, or the
            chosen devices cannot share one equally or normalise it as the setting says.
    """
    every = counted(facts.train_images, "training image")
    if images is None:
        images, drawn = facts.train_images, every
    else:
        drawn = f"{counted(images, 'image')} of {every} (a search divides them)"
        require(
            facts.train_images >= FEWEST_SAMPLES,
            f"A search needs at least {FEWEST_SAMPLES} training images. Received: {every}",
        )
    require(
        settings.batch_size <= images,
        f"{drawn} cannot fill a batch; set --{stage}_batch_size to at most {images}, or give more "
        f"images. Received: --{stage}_batch_size={settings.batch_size}",
    )
    check_divisible(settings.batch_size, f"--{stage}_batch_size")
    require(
        settings.sync_batch_norm or keras.backend.backend() != "jax",
        f"--{stage}_sync_batch_norm=false needs TensorFlow: JAX always normalises by the complete "
        "batch.",
    )
    check_downsample(facts.size, settings.downsample)
    largest = [side * max(settings.scales) / settings.downsample for side in facts.size]
    if all(crop > side for crop, side in zip(settings.crop_size, largest, strict=True)):
        logging.warning(
            "Crops of %dx%d are larger than the images (%dx%d, downsample %d), even after "
            "augmentation: the rest of every crop is ignored.",
            *settings.crop_size,
            *facts.size,
            settings.downsample,
        )


def _parts(split: str) -> list[str]:
    return (TRAIN_AND_VAL if split == "trainval" else split).split("+")
