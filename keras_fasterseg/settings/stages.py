"""The settings of the jobs: frozen dataclasses whose fields say what they mean, once, here."""

import dataclasses
from typing import TYPE_CHECKING

from keras_fasterseg.data.source import MAX_MEGAPIXELS
from keras_fasterseg.setting import (
    AT_LEAST_ONE,
    AT_LEAST_ZERO,
    IMAGE_SIZE,
    POSITIVE,
    SHARE,
    TRAINED_SIZE,
    Limits,
    Size,
    setting,
)
from keras_fasterseg.spaces.registry import make_space

QUICK_ESTIMATE, MEASURED_ESTIMATE, NO_ESTIMATE = ESTIMATES = ("quick", "measured", "none")
"""Ways to estimate a run; see `jobs.estimate.estimate_run`."""


if TYPE_CHECKING:
    from keras_fasterseg.spaces.base import SearchSpace


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadingSettings:
    """Which files are read."""

    max_megapixels: int = setting(
        MAX_MEGAPIXELS,
        "Images and labels of more millions of pixels are refused before they are decoded.",
        harmless=True,
        limits=AT_LEAST_ONE,
    )


@dataclasses.dataclass(frozen=True)
class DataSettings(ReadingSettings):
    """Which images and labels."""

    dataset: str = setting(
        "synthetic",
        "Data set: folder or csv (one's own, with a dataset.yaml), camvid, camvid32, cityscapes, "
        "cityscapes_coarse, bdd100k or synthetic.",
    )
    data_dir: str | None = setting(
        None,
        "Folder of the data set; synthetic is generated below the workdir if unset.",
        path=True,
    )
    class_order: str | None = setting(
        None,
        "The data set's classes in the order of a network's that was trained on another data set: "
        "every class once, comma separated, NEW=NAME to call it NEW; unset: the data set's own.",
    )
    train_split: str = setting(
        "train", "Split to search and train on; + joins several, such as train+val."
    )
    val_split: str = setting("val", "Split to evaluate on.")
    synthetic_train_images: int = setting(
        400, "Training images that synthetic generates.", limits=AT_LEAST_ONE
    )
    synthetic_val_images: int = setting(
        60, "Validation images that synthetic generates.", limits=AT_LEAST_ONE
    )
    synthetic_size: Size = setting(
        (128, 256), "Height x width of generated images.", limits=IMAGE_SIZE
    )
    cache: bool = setting(False, "Keep decoded images in memory (4 bytes a pixel).", harmless=True)


@dataclasses.dataclass(frozen=True)
class LatencySettings:
    """Measurement of the latency table."""

    latency_size: Size = setting(
        (1024, 2048), "Height x width that latencies are measured at.", limits=TRAINED_SIZE
    )
    latency_runtime: str = setting(
        "saved_model",
        "What runs the operations: saved_model, onnxruntime, openvino or litert.",
        limits=Limits(choices=("saved_model", "onnxruntime", "openvino", "litert")),
    )
    latency_threads: int | None = setting(
        None,
        "CPU threads of that runtime; unset: as many as TensorFlow takes.",
        limits=AT_LEAST_ONE,
    )
    latency_warmup: int = setting(
        3, "Runs of an operation before the first that counts.", limits=AT_LEAST_ZERO
    )
    latency_repetitions: int = setting(
        10, "Measurements of an operation, at least.", limits=AT_LEAST_ONE
    )
    latency_precision: float = setting(
        0.02,
        "An operation is measured until the 95 % confidence interval of its median reaches no "
        "further than this share of it to either side, 300 times at most.",
        limits=POSITIVE,
    )
    latency_time_budget: float | None = setting(
        None,
        "Minutes for the table; the operations divide them, none is measured less often than "
        "latency_repetitions says. Unset: as long as the precision takes.",
        harmless=True,
        limits=POSITIVE,
    )
    latency_calibration: int = setting(
        0,
        "Random networks that are measured whole, to fit a line from the sums of rows to their "
        "latencies: 0 or at least 2.",
        limits=AT_LEAST_ZERO,
    )
    latency_table: str | None = setting(
        None, "An existing table to use, in place of measuring this device.", path=True
    )


@dataclasses.dataclass(frozen=True)
class PretrainSettings:
    """Training of the supernet's weights before the search (the paper's constants)."""

    epochs: int = setting(20, "Epochs; 0 skips pretraining.", limits=AT_LEAST_ZERO)
    steps_per_epoch: int | None = setting(
        None, "Steps an epoch; unset: all images once.", limits=AT_LEAST_ONE
    )
    batch_size: int = setting(3, "Images a step.", limits=AT_LEAST_ONE)
    crop_size: Size = setting(
        (256, 512), "Height x width of random crops, multiples of 32.", limits=TRAINED_SIZE
    )
    downsample: int = setting(
        2, "Images are first made smaller by this factor.", limits=AT_LEAST_ONE
    )
    learning_rate: float = setting(0.02, "SGD's learning rate in the first epoch.", limits=POSITIVE)
    learning_rate_decay: float = setting(
        0.978, "Factor of the learning rate from epoch to epoch.", limits=POSITIVE
    )
    momentum: float = setting(0.9, "SGD's momentum.", limits=SHARE)
    weight_decay: float = setting(
        5e-4, "Factor of the L2 term in the gradient.", limits=AT_LEAST_ZERO
    )
    clip_norm: float = setting(5.0, "Largest global norm of a step's gradient.", limits=POSITIVE)


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """Search of the architectures (the paper's constants)."""

    epochs: int = setting(30, "Epochs.", limits=AT_LEAST_ONE)
    steps_per_epoch: int | None = setting(
        None, "Steps an epoch; unset: each half once.", limits=AT_LEAST_ONE
    )
    batch_size: int = setting(
        2, "Images a step, from each half of the training set.", limits=AT_LEAST_ONE
    )
    crop_size: Size = setting(
        (224, 448), "Height x width of random crops, multiples of 32.", limits=TRAINED_SIZE
    )
    downsample: int = setting(
        2, "Images are first made smaller by this factor.", limits=AT_LEAST_ONE
    )
    learning_rate: float = setting(0.01, "SGD's learning rate in the first epoch.", limits=POSITIVE)
    learning_rate_decay: float = setting(
        0.978, "Factor of the learning rate from epoch to epoch.", limits=POSITIVE
    )
    momentum: float = setting(0.9, "SGD's momentum.", limits=SHARE)
    weight_decay: float = setting(
        5e-4, "Factor of the L2 term in the weights' gradient.", limits=AT_LEAST_ZERO
    )
    clip_norm: float = setting(
        5.0, "Largest global norm of a step's weight gradient.", limits=POSITIVE
    )
    architecture_learning_rate: float = setting(
        3e-4, "Adam's learning rate of the architectures.", limits=POSITIVE
    )
    penalty_weight: float = setting(
        0.06, "Initial weight of the latency penalty, lambda.", limits=AT_LEAST_ZERO
    )
    penalty_shares: str = setting(
        "paper",
        "Shares of the families of choices in the penalty (fasterseg: operators, paths, widths): "
        "paper, code, auto, or undivided for one term of all.",
        limits=Limits(choices=("paper", "code", "auto", "undivided")),
    )
    min_fps: float = setting(155.0, "Frame rate below which lambda grows.", limits=POSITIVE)
    max_fps: float = setting(175.0, "Frame rate above which lambda shrinks.", limits=POSITIVE)
    temperature: float = setting(
        1.0, "Temperature of the sampling in the first epoch.", limits=POSITIVE
    )
    temperature_decay: float = setting(
        1.0, "Factor of the temperature from epoch to epoch.", limits=POSITIVE
    )
    validation_images: int = setting(
        50,
        "Validation images that score an epoch's candidates, spread over the split.",
        limits=AT_LEAST_ONE,
    )


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Training of a derived network (the paper's constants)."""

    epochs: int = setting(600, "Epochs.", limits=AT_LEAST_ONE)
    steps_per_epoch: int | None = setting(
        1000, "Steps an epoch; unset: all images once.", limits=AT_LEAST_ONE
    )
    batch_size: int = setting(12, "Images a step.", limits=AT_LEAST_ONE)
    crop_size: Size = setting(
        (512, 1024), "Height x width of random crops, multiples of 32.", limits=TRAINED_SIZE
    )
    downsample: int = setting(
        1, "Images are first made smaller by this factor.", limits=AT_LEAST_ONE
    )
    learning_rate: float = setting(0.01, "SGD's learning rate in the first epoch.", limits=POSITIVE)
    learning_rate_decay: float = setting(
        0.992, "Factor of the learning rate from epoch to epoch.", limits=POSITIVE
    )
    momentum: float = setting(0.9, "SGD's momentum.", limits=SHARE)
    weight_decay: float = setting(
        5e-4, "Factor of the L2 term in the gradient.", limits=AT_LEAST_ZERO
    )
    auxiliary_weight: float = setting(
        0.2, "Weight of the auxiliary heads' losses.", limits=AT_LEAST_ZERO
    )
    distillation_weight: float = setting(
        1.0, "Weight of the distillation loss.", limits=AT_LEAST_ZERO
    )
    distillation_reduction: str = setting(
        "element_mean",
        "Mean of the distillation loss: element_mean or pixel_mean.",
        limits=Limits(choices=("element_mean", "pixel_mean")),
    )
    evaluate_every: int = setting(
        10, "Evaluate after every so many epochs, and after the last.", limits=AT_LEAST_ONE
    )
    schedule: str = setting(
        "exponential",
        "How the learning rate falls: exponential (by learning_rate_decay an epoch) or polynomial "
        "(to zero over all epochs).",
        limits=Limits(choices=("exponential", "polynomial")),
    )
    polynomial_power: float = setting(0.9, "Exponent of the polynomial schedule.", limits=POSITIVE)
    warmup_epochs: float = setting(
        0.0,
        "Epochs in which the learning rate grows linearly from zero to its schedule.",
        limits=AT_LEAST_ZERO,
    )
    class_weights: str | None = setting(
        None,
        "Weights of the classes in the cross-entropy: numbers such as 1.0,0.5,2 or histogram "
        "(ENet's, from the training labels); unset: all alike.",
    )
    accumulation_steps: int = setting(
        1,
        "Steps whose mean gradient makes one update, for batches that memory has no room for.",
        limits=AT_LEAST_ONE,
    )
    precision: str = setting(
        "float32",
        "Arithmetic of training: float32, mixed_bfloat16 or mixed_float16; the network that is "
        "evaluated and saved is float32.",
        limits=Limits(choices=("float32", "mixed_bfloat16", "mixed_float16")),
    )
    ema_momentum: float | None = setting(
        None,
        "Momentum of the moving average of the weights that is evaluated and saved, such as 0.999; "
        "unset: the weights themselves.",
        limits=SHARE,
    )
    initial_weights: str | None = setting(
        None,
        "network.keras of a trained network of the same genotype to begin with; unset: at random.",
        path=True,
    )
    new_heads: bool = setting(
        False,
        "Begin the last convolutions of the heads at random although initial_weights has as many "
        "classes: they are others.",
    )
    patience: int | None = setting(
        None,
        "Evaluations without a better mIoU before training ends; unset: it never does.",
        limits=AT_LEAST_ONE,
    )


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings:
    """Measurement of frame rates."""

    input_size: Size = setting(
        (1024, 2048), "Height x width of the benchmark's images.", limits=IMAGE_SIZE
    )
    batch_size: int = setting(1, "Images a call.", limits=AT_LEAST_ONE)
    warmup: int = setting(10, "Calls before the first that counts.", limits=AT_LEAST_ZERO)
    repetitions: int = setting(50, "Calls that count, at least.", limits=AT_LEAST_ONE)
    seconds: float = setting(3.0, "Seconds to measure, at least.", limits=AT_LEAST_ZERO)


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """The settings of every stage."""

    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    space: "SearchSpace" = dataclasses.field(default_factory=make_space)
    latency: LatencySettings = dataclasses.field(default_factory=LatencySettings)
    pretrain: PretrainSettings = dataclasses.field(default_factory=PretrainSettings)
    search: SearchSettings = dataclasses.field(default_factory=SearchSettings)
    teacher: TrainSettings = dataclasses.field(default_factory=TrainSettings)
    student: TrainSettings = dataclasses.field(default_factory=TrainSettings)
    benchmark: BenchmarkSettings = dataclasses.field(default_factory=BenchmarkSettings)
    seed: int = 0
