"""Settings of pretraining a supernet and of searching in it."""

import dataclasses

from keras_fasterseg.setting import (
    AT_LEAST_ONE,
    AT_LEAST_ZERO,
    POSITIVE,
    SHARE,
    TRAINED_SIZE,
    Limits,
    Size,
    setting,
)
from keras_fasterseg.settings.batches import BatchSettings

_PRECISION = "Arithmetic of the supernet: float32 or mixed_bfloat16. Weights are always float32."
_PRECISIONS = Limits(choices=("float32", "mixed_bfloat16"))


@dataclasses.dataclass(frozen=True)
class PretrainSettings(BatchSettings):
    """Training of the supernet's weights before the search (the paper's constants)."""

    epochs: int = setting(20, "Number of epochs; 0 skips pretraining.", limits=AT_LEAST_ZERO)
    steps_per_epoch: int | None = setting(
        None,
        "Steps per epoch. Default: one pass over the images for the weights (see docs/search.md).",
        limits=AT_LEAST_ONE,
    )
    batch_size: int = setting(3, "Images per step.", limits=AT_LEAST_ONE)
    crop_size: Size = setting(
        (256, 512), "Height x width of random crops, multiples of 32.", limits=TRAINED_SIZE
    )
    downsample: int = setting(
        2, "Downsampling factor of the images, applied before cropping.", limits=AT_LEAST_ONE
    )
    learning_rate: float = setting(
        0.02, "Learning rate of SGD in the first epoch.", limits=POSITIVE
    )
    learning_rate_decay: float = setting(
        0.978, "Factor applied to the learning rate after every epoch.", limits=POSITIVE
    )
    momentum: float = setting(0.9, "Momentum of SGD.", limits=SHARE)
    weight_decay: float = setting(
        5e-4,
        "L2 weight decay: this factor times the weights is added to the gradient.",
        limits=AT_LEAST_ZERO,
    )
    clip_norm: float = setting(5.0, "Gradients are clipped to this global norm.", limits=POSITIVE)
    sample_paths: bool = setting(
        False,
        "Train single networks, with a random operation per cell and a random input per node, "
        "instead of blends of all (the paper). Widths are sampled in both cases.",
        added=True,
    )
    precision: str = setting("float32", _PRECISION, limits=_PRECISIONS, added=True)


GRADIENT, EVOLUTION, RANDOM, MOST_MACS, MOST_PARAMETERS = STRATEGIES = (
    "gradient",
    "evolution",
    "random",
    "most_macs",
    "most_parameters",
)
"""Strategies of a search; see `SearchSettings.strategy`."""
SAMPLED = (EVOLUTION, RANDOM)
"""Strategies that score drawn networks one by one."""


@dataclasses.dataclass(frozen=True)
class SearchSettings(BatchSettings):
    """Search of the architectures (the paper's constants)."""

    strategy: str = setting(
        GRADIENT,
        "How networks are chosen: gradient (the method of the search space), evolution (NSGA-II on "
        "scores with inherited weights), random (the best-scored random network of the band), "
        "most_macs or most_parameters (of the random networks of the band; without scores).",
        limits=Limits(choices=STRATEGIES),
        added=True,
    )
    networks: int = setting(
        100,
        "Number of networks that evolution and random score. 1: a random network of the band, "
        "without scores and pretraining.",
        limits=AT_LEAST_ONE,
        added=True,
    )
    population: int = setting(
        20, "Networks of a generation of evolution.", limits=Limits(at_least=2), added=True
    )

    epochs: int = setting(30, "Number of epochs.", limits=AT_LEAST_ONE)
    steps_per_epoch: int | None = setting(
        None,
        "Steps per epoch. Default: one pass over each half of the training set.",
        limits=AT_LEAST_ONE,
    )
    batch_size: int = setting(
        2, "Images per step from each of the two halves of the training set.", limits=AT_LEAST_ONE
    )
    crop_size: Size = setting(
        (224, 448), "Height x width of random crops, multiples of 32.", limits=TRAINED_SIZE
    )
    downsample: int = setting(
        2, "Downsampling factor of the images, applied before cropping.", limits=AT_LEAST_ONE
    )
    optimizer: str = setting(
        "sgd",
        "Optimizer of the weights: sgd or adam (with betas of .9 and .999).",
        limits=Limits(choices=("sgd", "adam")),
        added=True,
    )
    learning_rate: float = setting(
        0.01, "Learning rate of the weights in the first epoch.", limits=POSITIVE
    )
    learning_rate_decay: float = setting(
        0.978, "Factor applied to the learning rate after every epoch.", limits=POSITIVE
    )
    schedule: str = setting(
        "exponential",
        "Learning rate schedule of the weights: exponential (times learning_rate_decay after every "
        "epoch), polynomial or cosine (to learning_rate_end over all epochs).",
        limits=Limits(choices=("exponential", "polynomial", "cosine")),
        added=True,
    )
    learning_rate_end: float = setting(
        0.0,
        "Learning rate of the weights at the end of the polynomial and the cosine schedule.",
        limits=AT_LEAST_ZERO,
        added=True,
    )
    polynomial_power: float = setting(
        0.9, "Exponent of the polynomial schedule.", limits=POSITIVE, added=True
    )
    momentum: float = setting(0.9, "Momentum of sgd; adam ignores it.", limits=SHARE)
    weight_decay: float = setting(
        5e-4,
        "L2 weight decay: this factor times the weights is added to their gradient.",
        limits=AT_LEAST_ZERO,
    )
    clip_norm: float = setting(
        5.0, "Gradients of the weights are clipped to this global norm.", limits=POSITIVE
    )
    precision: str = setting("float32", _PRECISION, limits=_PRECISIONS, added=True)
    architecture_learning_rate: float = setting(
        3e-4, "Learning rate of Adam for the architecture parameters.", limits=POSITIVE
    )
    architecture_beta_1: float = setting(
        0.5, "Adam's beta_1 for the architecture parameters.", limits=SHARE, added=True
    )
    architecture_weight_decay: float = setting(
        0.0,
        "L2 weight decay of the architecture parameters: this factor times the parameters is added "
        "to their gradient.",
        limits=AT_LEAST_ZERO,
        added=True,
    )
    architecture_clip_norm: float | None = setting(
        None,
        "Gradients of the architecture parameters are clipped to this global norm. Default: no "
        "clipping.",
        limits=POSITIVE,
        added=True,
    )
    class_weights: str | None = setting(
        None,
        "Class weights in the cross-entropy: numbers such as 1.0,0.5,2, or histogram (ENet's "
        "weighting, from the training labels). Default: all equal.",
        added=True,
    )
    ssr_weight: float = setting(
        0.0,
        "Weight of the solution space regularization (SSR) of each family of choices, which drives "
        "them to a decision. 0: none (the paper).",
        limits=AT_LEAST_ZERO,
        added=True,
    )
    penalty_weight: float = setting(
        0.06, "Initial lambda, the weight of the latency penalty.", limits=AT_LEAST_ZERO
    )
    penalty_shares: str = setting(
        "paper",
        "How the latency penalty weights the families of choices (operators, paths and widths in "
        "fasterseg): paper, code (constants of the released code), auto (from the latency table), "
        "or undivided (a single term).",
        limits=Limits(choices=("paper", "code", "auto", "undivided")),
    )
    min_fps: float = setting(
        155.0,
        "Lower end of the band in FPS; a candidate at or below it doubles lambda.",
        limits=POSITIVE,
    )
    max_fps: float = setting(
        175.0,
        "Upper end of the band in FPS; a candidate at or above it halves lambda.",
        limits=POSITIVE,
    )
    temperature: float = setting(
        1.0, "Temperature of the Gumbel-softmax sampling in the first epoch.", limits=POSITIVE
    )
    temperature_decay: float = setting(
        1.0, "Factor applied to the temperature after every epoch.", limits=POSITIVE
    )
    temperature_end: float | None = setting(
        None,
        "The temperature changes linearly in the epoch, to this value after the last one. Default: "
        "it follows temperature_decay.",
        limits=POSITIVE,
        added=True,
    )
    validation_images: int = setting(
        50,
        "Number of held-out training images, spread over them, on which candidates are scored; at "
        "most a tenth of the training images is held out.",
        limits=AT_LEAST_ONE,
    )

    @property
    def uses_weights(self) -> bool:
        """True if the search trains the supernet's weights, or scores networks with them."""
        return self.strategy == GRADIENT or (self.strategy in SAMPLED and self.networks > 1)

    def temperature_of(self, epoch: int) -> float:
        """Temperature of the sampling in an epoch, counted from 0."""
        if self.temperature_end is None:
            return self.temperature * self.temperature_decay**epoch
        share = epoch / self.epochs
        return self.temperature + share * (self.temperature_end - self.temperature)
