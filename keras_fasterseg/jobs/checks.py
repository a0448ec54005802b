"""Checks of a run before any of its stages begins."""

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator

from absl import logging

from keras_fasterseg.data.class_order import reordered
from keras_fasterseg.data.registry import load_source
from keras_fasterseg.data.source import TRAIN_AND_VAL
from keras_fasterseg.data.synthetic_streets import SyntheticStreets
from keras_fasterseg.jobs.measure_latency import check_latency
from keras_fasterseg.jobs.search import check_search
from keras_fasterseg.jobs.train import check_training
from keras_fasterseg.run.datasets import (
    check_crop,
    check_data_dir,
    check_downsample,
    is_generated,
)
from keras_fasterseg.setting import Size, check_settings, require
from keras_fasterseg.settings.stages import (
    DataSettings,
    PretrainSettings,
    RunSettings,
    SearchSettings,
    TrainSettings,
)
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER
from keras_fasterseg.wording import counted

# Images are made larger by at most this before they are cropped.
_LARGEST_SCALE = 1.25


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """Facts of a data set that need none of its images read.

    Attributes:
        class_names: Names of the classes.
        train_images: Images of the training split.
        val_images: Images of the validation split.
        size: Height and width of the first training image, which stands for all.
    """

    class_names: tuple[str, ...]
    train_images: int
    val_images: int
    size: Size


def check_data(settings: DataSettings) -> DataFacts:
    """Facts of the data before its images are read.

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
        images = (sum(counts[part] for part in _parts(split)) for split in splits)
        return DataFacts(names, *images, settings.synthetic_size)
    check_data_dir(settings)
    source = load_source(
        settings.dataset, settings.data_dir, settings.class_order, settings.max_megapixels
    )
    train, val = (source.samples(split) for split in splits)
    return DataFacts(source.class_names, len(train), len(val), source.read_size(train[0]))


def check_run(settings: RunSettings, finished: Collection[str] = ()) -> DataFacts:
    """Checks the settings of all stages against one another and the data, and returns its facts.

    What is wrong with a late stage had better be said before the early ones have run for days.

    Args:
        settings: Of every stage.
        finished: Stages that will not run again: files that they have read may be gone.

    Raises:
        ValueError: A setting of a stage is wrong; the message names the stage.
        OSError: A file or folder that a stage needs is missing.
    """
    check_settings(settings.supernet, "--")
    facts = check_data(settings.data)
    for name, check in _checks(settings, facts).items():
        if name not in finished:
            with _of_stage(name):
                check()
    return facts


def _checks(settings: RunSettings, facts: DataFacts) -> dict[str, Callable[[], None]]:
    """By stage, what raises if it could not begin."""

    def pretrain() -> None:
        check_settings(settings.pretrain, "--pretrain_")
        check_images("pretrain", settings.pretrain, facts)

    def search() -> None:
        check_search(settings.search)
        check_images("search", settings.search, facts)

    def training(role: str, stage: TrainSettings) -> None:
        check_training(stage, facts.class_names)
        check_images(role, stage, facts)

    return {
        "latency": lambda: check_latency(
            settings.latency, settings.supernet, len(facts.class_names)
        ),
        "pretrain": pretrain,
        "search": search,
        TEACHER: lambda: training(TEACHER, settings.teacher),
        STUDENT: lambda: training(STUDENT, settings.student),
        "benchmark": lambda: check_settings(settings.benchmark, "--benchmark_"),
    }


def check_images(
    stage: str, settings: PretrainSettings | SearchSettings | TrainSettings, facts: DataFacts
) -> None:
    """Checks what a stage takes of the images; warns where crops are larger than they ever are.

    Raises:
        ValueError: A crop is not of multiples of 32, a smaller image is below 32 x 32, or there are
            fewer images than a batch has.
    """
    # The search takes a batch from each half of the images.
    halves = isinstance(settings, SearchSettings)
    images = facts.train_images // 2 if halves else facts.train_images
    counted_images = counted(facts.train_images, "training image")
    require(images > 0, f"Each half of a search needs a training image. Received: {counted_images}")
    require(
        settings.batch_size <= images,
        f"{'Half of ' if halves else ''}{counted_images} cannot fill a batch; set "
        f"--{stage}_batch_size to at most {images}, or give more images. "
        f"Received: --{stage}_batch_size={settings.batch_size}",
    )
    check_crop(settings.crop_size)
    check_downsample(facts.size, settings.downsample)
    largest = [side * _LARGEST_SCALE / settings.downsample for side in facts.size]
    if all(crop > side for crop, side in zip(settings.crop_size, largest, strict=True)):
        logging.warning(
            "Crops of %dx%d are larger than the images of %dx%d at downsample %d ever are: the "
            "rest of every crop is ignored.",
            *settings.crop_size,
            *facts.size,
            settings.downsample,
        )


@contextlib.contextmanager
def _of_stage(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"Stage {name}: {error}") from error
    except ValueError as error:
        raise ValueError(f"Stage {name}: {error}") from error


def _parts(split: str) -> list[str]:
    return (TRAIN_AND_VAL if split == "trainval" else split).split("+")
