"""Optimizers and learning rate schedules built from settings."""

from collections.abc import Sequence

import keras

from keras_fasterseg import replicas
from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.training.l2_adam import L2Adam
from keras_fasterseg.training.l2_sgd import L2SGD
from keras_fasterseg.training.linear_warmup import LinearWarmup

LearningRateSchedule = keras.optimizers.schedules.LearningRateSchedule


def learning_rate_schedule(
    settings: SearchSettings | TrainSettings, steps_per_epoch: int
) -> LearningRateSchedule:
    """Returns the learning rate schedule of the weights in a search or a training.

    A step is a batch, even if gradients are accumulated over several batches per update.

    Exponential: `learning_rate * learning_rate_decay ** epoch`, constant within an epoch.
    Polynomial: `learning_rate * (1 - step / all steps) ** polynomial_power`.
    Cosine: `learning_rate * (1 + cos(pi * step / all steps)) / 2`. These two fall to
    `learning_rate_end` instead of 0 in a search. In the first `warmup_epochs` epochs of a training
    all are multiplied by a factor that grows from 0 to 1.
    """
    steps = settings.epochs * steps_per_epoch
    end = settings.learning_rate_end if isinstance(settings, SearchSettings) else 0.0
    if settings.schedule == "polynomial":
        schedule = keras.optimizers.schedules.PolynomialDecay(
            settings.learning_rate,
            decay_steps=steps,
            end_learning_rate=end,
            power=settings.polynomial_power,
        )
    elif settings.schedule == "cosine":
        schedule = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate, steps, alpha=end / settings.learning_rate
        )
    else:
        schedule = _exponential(settings, steps_per_epoch)
    if isinstance(settings, SearchSettings):
        return schedule
    warmup_steps = round(settings.warmup_epochs * steps_per_epoch)
    return LinearWarmup(schedule, warmup_steps) if warmup_steps else schedule


def pretraining_optimizer(settings: PretrainSettings, steps_per_epoch: int) -> L2SGD:
    """Returns SGD for the weights of a supernet alone."""
    return L2SGD(
        _exponential(settings, steps_per_epoch),
        momentum=settings.momentum,
        l2=settings.weight_decay,
        global_clipnorm=settings.clip_norm,
    )


def search_optimizer(settings: SearchSettings, steps_per_epoch: int) -> L2SGD | L2Adam:
    """Returns the optimizer of a supernet's weights in a search."""
    return _optimizer(settings, steps_per_epoch, global_clipnorm=settings.clip_norm)


def architecture_optimizer(settings: SearchSettings) -> L2Adam:
    """Returns Adam for the architecture parameters in a search."""
    return L2Adam(
        settings.architecture_learning_rate,
        l2=settings.architecture_weight_decay,
        beta_1=settings.architecture_beta_1,
        global_clipnorm=settings.architecture_clip_norm,
    )


def training_optimizer(
    settings: TrainSettings, steps_per_epoch: int, variables: Sequence[keras.Variable]
) -> keras.optimizers.Optimizer:
    """Returns the built optimizer of a derived network's weights, with loss scaling for float16.

    Args:
        settings: Settings of the training.
        steps_per_epoch: Batches per epoch.
        variables: The weights to train.

    Raises:
        ValueError: See `check_optimizer`.
    """
    check_optimizer(settings)
    averaging = settings.ema_momentum is not None
    optimizer = _optimizer(
        settings,
        steps_per_epoch,
        use_ema=averaging,
        ema_momentum=settings.ema_momentum if averaging else 0.99,
        gradient_accumulation_steps=(
            settings.accumulation_steps if settings.accumulation_steps > 1 else None
        ),
    )
    if settings.decay_kernels_only:
        # Biases, and scales and offsets of normalisations, are vectors.
        vectors = [each for each in variables if len(each.shape) < 2]
        optimizer.exclude_from_weight_decay(vectors)
    if settings.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def check_optimizer(settings: TrainSettings) -> None:
    """Raises `ValueError` if a setting is out of its limits or contradicts another."""
    check_settings(settings)
    require(
        settings.warmup_epochs < settings.epochs,
        "`warmup_epochs` must be below `epochs`. "
        f"Received: warmup_epochs={settings.warmup_epochs}, epochs={settings.epochs}",
    )
    # An overflow on one of them would have to skip the step on all.
    require(
        settings.precision != "mixed_float16" or replicas.number() == 1,
        "Several devices cannot share batches with precision=mixed_float16; use mixed_bfloat16.",
    )


def _optimizer(
    settings: SearchSettings | TrainSettings, steps_per_epoch: int, **options
) -> L2SGD | L2Adam:
    options["learning_rate"] = learning_rate_schedule(settings, steps_per_epoch)
    if settings.optimizer == "adamw":
        return L2Adam(weight_decay=settings.weight_decay, **options)
    options["l2"] = settings.weight_decay
    if settings.optimizer == "adam":
        return L2Adam(**options)
    return L2SGD(momentum=settings.momentum, **options)


def _exponential(
    settings: PretrainSettings | SearchSettings | TrainSettings, steps_per_epoch: int
) -> LearningRateSchedule:
    return keras.optimizers.schedules.ExponentialDecay(
        settings.learning_rate,
        decay_steps=steps_per_epoch,
        decay_rate=settings.learning_rate_decay,
        staircase=True,
    )
