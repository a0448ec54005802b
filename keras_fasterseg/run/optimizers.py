"""Optimizers and learning rate schedules built from settings."""

import keras

from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.stages import TrainSettings
from keras_fasterseg.training.l2_sgd import L2SGD
from keras_fasterseg.training.linear_warmup import LinearWarmup

LearningRateSchedule = keras.optimizers.schedules.LearningRateSchedule


def learning_rate_schedule(settings: TrainSettings, steps_per_epoch: int) -> LearningRateSchedule:
    """Returns the learning rate schedule of a training.

    A step is a batch, even if gradients are accumulated over several batches per update.

    Exponential: `learning_rate * learning_rate_decay ** epoch`, constant within an epoch.
    Polynomial: `learning_rate * (1 - step / all steps) ** polynomial_power`. In the first
    `warmup_epochs` epochs both are multiplied by a factor that grows from 0 to 1.
    """
    if settings.schedule == "polynomial":
        schedule = keras.optimizers.schedules.PolynomialDecay(
            settings.learning_rate,
            decay_steps=settings.epochs * steps_per_epoch,
            end_learning_rate=0.0,
            power=settings.polynomial_power,
        )
    else:
        schedule = _falling(settings.learning_rate, settings.learning_rate_decay, steps_per_epoch)
    warmup_steps = round(settings.warmup_epochs * steps_per_epoch)
    return LinearWarmup(schedule, warmup_steps) if warmup_steps else schedule


def training_optimizer(settings: TrainSettings, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Returns SGD as configured by the settings, with loss scaling for float16.

    Raises:
        ValueError: See `check_optimizer`.
    """
    check_optimizer(settings)
    averaging = settings.ema_momentum is not None
    optimizer = L2SGD(
        learning_rate_schedule(settings, steps_per_epoch),
        momentum=settings.momentum,
        l2=settings.weight_decay,
        use_ema=averaging,
        ema_momentum=settings.ema_momentum if averaging else 0.99,
        gradient_accumulation_steps=(
            settings.accumulation_steps if settings.accumulation_steps > 1 else None
        ),
    )
    if settings.precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def decaying_sgd(
    learning_rate: float,
    decay: float,
    steps_per_epoch: int,
    momentum: float,
    l2: float,
    clip_norm: float,
) -> L2SGD:
    """Returns SGD with clipped gradients and a learning rate multiplied by `decay` every epoch."""
    schedule = _falling(learning_rate, decay, steps_per_epoch)
    return L2SGD(schedule, momentum=momentum, l2=l2, global_clipnorm=clip_norm)


def check_optimizer(settings: TrainSettings) -> None:
    """Raises `ValueError` if a setting is out of its limits or contradicts another."""
    check_settings(settings)
    require(
        settings.warmup_epochs < settings.epochs,
        "`warmup_epochs` must be below `epochs`. "
        f"Received: warmup_epochs={settings.warmup_epochs}, epochs={settings.epochs}",
    )


def _falling(learning_rate: float, decay: float, steps_per_epoch: int) -> LearningRateSchedule:
    return keras.optimizers.schedules.ExponentialDecay(
        learning_rate, decay_steps=steps_per_epoch, decay_rate=decay, staircase=True
    )
