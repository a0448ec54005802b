"""Settings of training a derived network."""

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
from keras_fasterseg.settings.batches import BatchSettings


@dataclasses.dataclass(frozen=True)
class TrainSettings(BatchSettings):
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
