"""Cost of the stages of a run, by arithmetic on a step of each and stated assumptions."""

import math

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.setting import Size
from keras_fasterseg.settings.stages import (
    BenchmarkSettings,
    LatencySettings,
    PretrainSettings,
    SearchSettings,
    TrainSettings,
)

FORWARDS_A_PASS = 3
"""Assumed: backward takes twice as long as forward."""

INPUT_SECONDS_A_PIXEL = 1e-7
"""Processor time to decode, scale and crop an image (.5e-7 of a cached one, at 128x256)."""

SETTINGS_A_STEP = 4
"""Settings of the supernet in a step, one batch: widest, narrowest and two others."""

FROZEN_SHARE = 0.6
"""Share of a pass in which kernels get no gradient."""

SEARCH_PASSES = SETTINGS_A_STEP * (1 + FROZEN_SHARE)
"""Passes of a step of the search: those of the weights, and frozen ones of the architectures."""

EVALUATION_TRACING_SECONDS = 10.0
"""Assumed, for tracing the evaluations of a search (at 5 layers, on two CPU cores)."""

CHECKPOINTS = 3
"""Two are kept while the next one is written."""

LOG_BYTES = 20_000_000
"""Assumed, for the logs, genotypes and scores of a stage."""

GRAPH_BYTES = 10_000_000
"""Assumed, for what a SavedModel holds besides weights."""

GENERATED_BYTES_A_PIXEL = 2.5
"""Assumed, for the PNG files of a generated image and its labels (2.3 at 128x256)."""

EXPORT_SECONDS = 7.0
"""Assumed, for tracing and writing a SavedModel, or for loading one (on two CPU cores)."""


def training_steps(
    settings: PretrainSettings | SearchSettings | TrainSettings, num_images: int
) -> int:
    """Steps of all epochs.

    Args:
        settings: How it is trained.
        num_images: Images that an epoch sees; of the search, those of one half.
    """
    return settings.epochs * (settings.steps_per_epoch or num_images // settings.batch_size)


def latency_seconds(row_seconds: float, rows: int, settings: LatencySettings) -> float:
    """Time of a latency table and of the networks that calibrate it."""
    return row_seconds * rows + EXPORT_SECONDS * settings.latency_calibration


def input_seconds(
    settings: PretrainSettings | SearchSettings | TrainSettings, image_size: Size
) -> float:
    """Assumed time that the images of a step take from a step on the CPU.

    Args:
        settings: How it is trained.
        image_size: Height and width of the images, before they are made smaller or cropped.
    """
    images = settings.batch_size * (2 if isinstance(settings, SearchSettings) else 1)
    seconds = images * math.prod(image_size) * INPUT_SECONDS_A_PIXEL
    return seconds / available_cores().threads


def training_seconds(first_seconds: float, step_seconds: float, steps: int) -> float:
    """Time of a training without its evaluations."""
    return first_seconds + step_seconds * max(0, steps - 1) if steps else 0.0


def forward_seconds(
    step_seconds: float,
    settings: SearchSettings | TrainSettings,
    image_size: Size,
    passes: float = 1,
) -> float:
    """Assumed time of one image through a network that is trained, without gradients.

    Args:
        step_seconds: Time of a training step.
        settings: How it is trained.
        image_size: Height and width of the image.
        passes: Passes, each forward and backward, that a step consists of.
    """
    pixels = settings.batch_size * math.prod(settings.crop_size)
    share = math.prod(image_size) / (FORWARDS_A_PASS * passes * pixels)
    return step_seconds * share


def search_evaluation_seconds(
    step_seconds: float, settings: SearchSettings, image_size: Size, num_val_images: int
) -> float:
    """Assumed time of all evaluations: two architectures after every epoch, and two at the end."""
    small = (image_size[0] // settings.downsample, image_size[1] // settings.downsample)
    images = 2 * (settings.epochs + 1) * min(settings.validation_images, num_val_images)
    seconds = images * forward_seconds(step_seconds, settings, small, SEARCH_PASSES)
    return seconds + (EVALUATION_TRACING_SECONDS if images else 0.0)


def training_evaluation_seconds(
    step_seconds: float, settings: TrainSettings, image_size: Size, num_val_images: int
) -> float:
    """Assumed time of all evaluations of a derived network."""
    evaluations = math.ceil(settings.epochs / settings.evaluate_every)
    return evaluations * num_val_images * forward_seconds(step_seconds, settings, image_size)


def export_seconds(image_seconds: float, num_val_images: int) -> float:
    """Assumed time to export one network and to score it on the validation split."""
    return EXPORT_SECONDS + num_val_images * image_seconds


def benchmark_seconds(image_seconds: float, settings: BenchmarkSettings) -> float:
    """Assumed time to load one SavedModel and to time it."""
    call = settings.batch_size * image_seconds
    timed = max(settings.seconds, settings.repetitions * call)
    return EXPORT_SECONDS + settings.warmup * call + timed


def training_disk_bytes(weight_bytes: int, slot_bytes: int, networks: int) -> int:
    """Space of checkpoints (weights and optimizer), results and logs.

    Args:
        weight_bytes: Size of the weights.
        slot_bytes: Size of the optimizers' memory.
        networks: How many files of the weights alone there are at once.
    """
    return CHECKPOINTS * (weight_bytes + slot_bytes) + networks * weight_bytes + LOG_BYTES


def export_disk_bytes(weight_bytes: int) -> int:
    """Space of one SavedModel."""
    return weight_bytes + GRAPH_BYTES


def cached_bytes(num_images: int, image_size: Size) -> int:
    """Memory of decoded images and labels: four bytes a pixel."""
    return 4 * num_images * math.prod(image_size)


def generated_disk_bytes(num_images: int, image_size: Size) -> int:
    """Space of generated images and labels."""
    return round(GENERATED_BYTES_A_PIXEL * num_images * math.prod(image_size))
