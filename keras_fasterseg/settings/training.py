"""Settings of the jobs that train weights: pretraining, search and training."""

import dataclasses

from keras_fasterseg.setting import (
    AT_LEAST_ONE,
    AT_LEAST_ZERO,
    LEAST_TRAINED_SIDE,
    POSITIVE,
    SHARE,
    TRAINED_SIZE,
    Limits,
    Size,
    setting,
)

_PRECISION = "Arithmetic of the supernet: float32 or mixed_bfloat16. Weights are always float32."
_PRECISIONS = Limits(choices=("float32", "mixed_bfloat16"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentationSettings:
    """Random changes of training images, besides mirroring and cropping."""

    scales: tuple[float, ...] = setting(
        (0.75, 1.0, 1.25),
        "Scale factors; every image is resized by one of them, drawn at random, before cropping. "
        "1: images keep their size.",
        limits=POSITIVE,
        added=True,
    )
    shift: int = setting(
        0,
        "Crops are moved by up to this many pixels, at random in every direction; the border that "
        "appears is ignored.",
        # Less than the side of any crop.
        limits=Limits(at_least=0, below=LEAST_TRAINED_SIDE),
        added=True,
    )
    color_jitter: float = setting(
        0.0,
        "Brightness, contrast and saturation of every crop are multiplied by factors between 1 "
        "minus and 1 plus this number, drawn at random.",
        limits=SHARE,
        added=True,
    )


@dataclasses.dataclass(frozen=True)
class PretrainSettings(AugmentationSettings):
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
SCORING = (GRADIENT, *SAMPLED)
"""Strategies that use the supernet's weights."""


@dataclasses.dataclass(frozen=True)
class SearchSettings(AugmentationSettings):
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
        "Number of networks that evolution and random score.",
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

    def temperature_of(self, epoch: int) -> float:
        """Temperature of the sampling in an epoch, counted from 0."""
        if self.temperature_end is None:
            return self.temperature * self.temperature_decay**epoch
        share = epoch / self.epochs
        return self.temperature + share * (self.temperature_end - self.temperature)


@dataclasses.dataclass(frozen=True)
class TrainSettings(AugmentationSettings):
    """Training of a derived network (the paper's constants)."""

    epochs: int = setting(600, "Number of epochs.", limits=AT_LEAST_ONE)
    steps_per_epoch: int | None = setting(
        1000,
        "Steps per epoch. None (only in Python): one pass over all training images.",
        limits=AT_LEAST_ONE,
    )
    batch_size: int = setting(12, "Images per step.", limits=AT_LEAST_ONE)
    crop_size: Size = setting(
        (512, 1024), "Height x width of random crops, multiples of 32.", limits=TRAINED_SIZE
    )
    downsample: int = setting(
        1, "Downsampling factor of the images, applied before cropping.", limits=AT_LEAST_ONE
    )
    optimizer: str = setting(
        "sgd",
        "Optimizer of the weights: sgd, or adam or adamw (with betas of .9 and .999).",
        limits=Limits(choices=("sgd", "adam", "adamw")),
        added=True,
    )
    learning_rate: float = setting(
        0.01, "Learning rate of the weights in the first epoch.", limits=POSITIVE
    )
    learning_rate_decay: float = setting(
        0.992, "Factor applied to the learning rate after every epoch.", limits=POSITIVE
    )
    momentum: float = setting(0.9, "Momentum of sgd; adam ignores it.", limits=SHARE)
    weight_decay: float = setting(
        5e-4,
        "Weight decay: this factor times the weights is added to the gradient (L2); with adamw, "
        "this factor times the learning rate times the weights is subtracted from the weights.",
        limits=AT_LEAST_ZERO,
    )
    decay_kernels_only: bool = setting(
        False,
        "Restrict the weight decay to kernels: none for biases and batch normalisation.",
        added=True,
    )
    auxiliary_weight: float = setting(
        0.2, "Weight of the auxiliary heads' losses.", limits=AT_LEAST_ZERO
    )
    distillation_weight: float = setting(
        1.0, "Weight of the distillation loss.", limits=AT_LEAST_ZERO
    )
    distillation: str = setting(
        "pixel",
        "What the student imitates: pixel (the teacher's distribution over classes at every pixel) "
        "or channel (its distribution over pixels for every class).",
        limits=Limits(choices=("pixel", "channel")),
        added=True,
    )
    distillation_temperature: float = setting(
        1.0,
        "Divides both logits in the distillation loss, which is multiplied by its square.",
        limits=POSITIVE,
        added=True,
    )
    distillation_reduction: str = setting(
        "element_mean",
        "Averaging of the distillation loss of pixels: element_mean (over pixels and classes) or "
        "pixel_mean (over pixels, summed over classes).",
        limits=Limits(choices=("element_mean", "pixel_mean")),
    )
    evaluate_every: int = setting(
        10, "Epochs between evaluations; the last epoch is always evaluated.", limits=AT_LEAST_ONE
    )
    schedule: str = setting(
        "exponential",
        "Learning rate schedule: exponential (times learning_rate_decay after every epoch), "
        "polynomial or cosine (to zero over all epochs).",
        limits=Limits(choices=("exponential", "polynomial", "cosine")),
    )
    polynomial_power: float = setting(0.9, "Exponent of the polynomial schedule.", limits=POSITIVE)
    warmup_epochs: float = setting(
        0.0,
        "Number of epochs over which the learning rate grows linearly from zero to its schedule.",
        limits=AT_LEAST_ZERO,
    )
    class_weights: str | None = setting(
        None,
        "Class weights in the cross-entropy: numbers such as 1.0,0.5,2, or histogram (ENet's "
        "weighting, from the training labels; histogram:1.1 sets its constant, which is 1.02). "
        "Default: all equal.",
    )
    ohem_threshold: float = setting(
        0.7,
        "A pixel counts in the cross-entropy if the network gives its true class at most this "
        "probability, or if it is among the hardest 1/16 of the batch. 1: all pixels count.",
        limits=Limits(above=0, at_most=1),
        added=True,
    )
    dropout: float = setting(
        0.0,
        "Share of the features before each classifier that training sets to zero.",
        limits=SHARE,
        added=True,
    )
    boundary_weight: float = setting(
        0.0,
        "Weight of the mean cross-entropy over the pixels with another class within two pixels, "
        "added to the loss. 0: none.",
        limits=AT_LEAST_ZERO,
        added=True,
    )
    loss_stride: int = setting(
        1,
        "Losses are computed on every n-th row and column of pixels. More than 1 makes steps "
        "faster where full-size losses are a large part of them.",
        # Less than the side of any crop.
        limits=Limits(at_least=1, below=LEAST_TRAINED_SIDE),
        added=True,
    )
    accumulation_steps: int = setting(
        1,
        "Number of steps whose gradients are averaged into one update, for batches too large for "
        "memory.",
        limits=AT_LEAST_ONE,
    )
    precision: str = setting(
        "float32",
        "Arithmetic of training: float32, mixed_bfloat16 or mixed_float16. The network is "
        "evaluated and saved in float32.",
        limits=Limits(choices=("float32", "mixed_bfloat16", "mixed_float16")),
    )
    ema_momentum: float | None = setting(
        None,
        "Evaluate and save a moving average of the weights with this momentum, such as 0.999. "
        "Default: no averaging.",
        limits=SHARE,
    )
    initial_weights: str | None = setting(
        None,
        "network.keras of a trained network of the same genotype to start from. Default: random "
        "weights.",
        path=True,
    )
    new_heads: bool = setting(
        False,
        "Initialise the last convolutions of the heads at random even if initial_weights has the "
        "same number of classes; needed if the classes differ.",
    )
    patience: int | None = setting(
        None,
        "Stop after this many evaluations in a row without a better mIoU. Default: never.",
        limits=AT_LEAST_ONE,
    )
