"""Settings of the jobs. The description of each field is also the help of its flag."""

import dataclasses
from typing import TYPE_CHECKING

from keras_fasterseg.data.source import MAX_MEGAPIXELS
from keras_fasterseg.setting import (
    AT_LEAST_ONE,
    AT_LEAST_ZERO,
    IMAGE_SIZE,
    POSITIVE,
    TRAINED_SIZE,
    Limits,
    Size,
    setting,
)
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.spaces.registry import make_space

QUICK_ESTIMATE, MEASURED_ESTIMATE, NO_ESTIMATE = ESTIMATES = ("quick", "measured", "none")
"""Ways to estimate a run; see `jobs.estimate.estimate_run`."""


if TYPE_CHECKING:
    from keras_fasterseg.spaces.base import SearchSpace


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadingSettings:
    """Limits on the files to read."""

    max_megapixels: int = setting(
        MAX_MEGAPIXELS,
        "Refuse images and labels larger than this many megapixels, before decoding them.",
        harmless=True,
        limits=AT_LEAST_ONE,
    )


@dataclasses.dataclass(frozen=True)
class DataSettings(ReadingSettings):
    """The data set: its images, labels and splits."""

    dataset: str = setting(
        "synthetic",
        "Data set: folder or csv (your own data, with a dataset.yaml), camvid, camvid32, "
        "cityscapes, cityscapes_coarse, bdd100k or synthetic.",
    )
    data_dir: str | None = setting(
        None,
        "Folder of the data set. Default for synthetic: generated in the workdir.",
        path=True,
    )
    class_order: str | None = setting(
        None,
        "Order of the classes, to match a network trained on another data set: every class of this "
        "data set once, comma separated; NEW=NAME renames the class NAME to NEW. Default: the data "
        "set's own order.",
    )
    train_split: str = setting(
        "train", "Split to search and train on; join several with +, such as train+val."
    )
    val_split: str = setting("val", "Split to evaluate on.")
    synthetic_train_images: int = setting(
        400, "Number of training images that synthetic generates.", limits=AT_LEAST_ONE
    )
    synthetic_val_images: int = setting(
        60, "Number of validation images that synthetic generates.", limits=AT_LEAST_ONE
    )
    synthetic_size: Size = setting(
        (128, 256), "Height x width of generated images.", limits=IMAGE_SIZE
    )
    cache: bool = setting(
        False,
        "Keep decoded images in memory: 4 bytes per pixel. On JAX and PyTorch, every reading "
        "process keeps its own.",
        harmless=True,
    )


@dataclasses.dataclass(frozen=True)
class LatencySettings:
    """Measurement of the latency table."""

    latency_size: Size = setting(
        (1024, 2048),
        "Height x width of the images for which latencies are measured.",
        limits=TRAINED_SIZE,
    )
    latency_runtime: str | None = setting(
        None,
        "Runtime of the measurement: saved_model, onnxruntime, openvino or litert; with Keras's "
        "backend jax or torch, keras. Default: saved_model, or keras with these backends.",
        limits=Limits(choices=("saved_model", "onnxruntime", "openvino", "litert", "keras")),
    )
    latency_threads: int | None = setting(
        None,
        "CPU threads of --latency_runtime. Default: one per available core.",
        limits=AT_LEAST_ONE,
    )
    latency_warmup: int = setting(
        3, "Untimed runs of each operation before the timed ones.", limits=AT_LEAST_ZERO
    )
    latency_repetitions: int = setting(
        10, "Minimum number of measurements of each operation.", limits=AT_LEAST_ONE
    )
    latency_precision: float = setting(
        0.02,
        "Relative precision: each operation is measured until the 95 % confidence interval of its "
        "median is within this share of the median on either side, at most 300 times.",
        limits=POSITIVE,
    )
    latency_time_budget: float | None = setting(
        None,
        "Time budget in minutes, shared by all operations; each is still measured at least "
        "latency_repetitions times. Default: no limit, latency_precision decides.",
        harmless=True,
        limits=POSITIVE,
    )
    latency_calibration: int = setting(
        0,
        "Number of random networks, at least 2, that are measured end to end to calibrate the "
        "table's predictions. 0: no calibration.",
        limits=AT_LEAST_ZERO,
    )
    latency_table: str | None = setting(
        None, "Existing latency table to use instead of measuring this device.", path=True
    )


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings:
    """Measurement of frame rates."""

    input_size: Size = setting(
        (1024, 2048), "Height x width of the images to benchmark with.", limits=IMAGE_SIZE
    )
    batch_size: int = setting(1, "Images per call.", limits=AT_LEAST_ONE)
    warmup: int = setting(
        10, "Number of untimed calls before the timed ones.", limits=AT_LEAST_ZERO
    )
    repetitions: int = setting(50, "Minimum number of timed calls.", limits=AT_LEAST_ONE)
    seconds: float = setting(3.0, "Minimum measuring time in seconds.", limits=AT_LEAST_ZERO)


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """Settings of every stage of a run."""

    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    space: "SearchSpace" = dataclasses.field(default_factory=make_space)
    latency: LatencySettings = dataclasses.field(default_factory=LatencySettings)
    pretrain: PretrainSettings = dataclasses.field(default_factory=PretrainSettings)
    search: SearchSettings = dataclasses.field(default_factory=SearchSettings)
    teacher: TrainSettings = dataclasses.field(default_factory=TrainSettings)
    student: TrainSettings = dataclasses.field(default_factory=TrainSettings)
    benchmark: BenchmarkSettings = dataclasses.field(default_factory=BenchmarkSettings)
    seed: int = 0
