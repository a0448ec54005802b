"""Trainings whose numbers must be the same on every backend: weights and draws from NumPy."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from unittest import mock

import keras
import numpy as np


def fixed_weights(variables: Iterable[keras.Variable], seed: int = 0) -> None:
    """Sets kernels to He-normal values and other weights near 1, the same on every backend."""
    generator = np.random.default_rng(seed)
    for variable in variables:
        if len(variable.shape) > 2:
            deviation = np.sqrt(2.0 / np.prod(variable.shape[-4:-1]))
            variable.assign(generator.normal(0.0, deviation, variable.shape))
        else:
            variable.assign(1.0 + 0.1 * generator.normal(size=variable.shape))


@contextlib.contextmanager
def fixed_draws() -> Iterator[None]:
    """Replaces random numbers by others that depend on the shape only."""

    def uniform(shape, **_):
        return np.random.default_rng(tuple(shape)).random(tuple(shape), "float32")

    def randint(shape, low, high, **_):
        return np.random.default_rng(tuple(shape)).integers(low, high, shape, "int32")

    with (
        mock.patch("keras.random.uniform", uniform),
        mock.patch("keras.random.randint", randint),
    ):
        yield


def images_and_labels(seed: int, classes: int, size: tuple[int, int], count: int = 2):
    """Random images, and labels in squares of 16 pixels; a few are ignored."""
    generator = np.random.default_rng(seed)
    height, width = size
    labels = generator.integers(0, classes, (count, height // 16, width // 16))
    labels = labels.repeat(16, 1).repeat(16, 2)
    labels[:, :3] = 255
    images = generator.normal(size=(count, *size, 3)) + 0.3 * labels[..., None]
    return images.astype("float32"), labels.astype("int32")


def step_logs(trainer: keras.Model, batches: Iterable, steps: int) -> dict[str, list[float]]:
    """Metrics of every single step of a training."""
    stream = (batch for batch in itertools.cycle(batches))
    return trainer.fit(stream, epochs=steps, steps_per_epoch=1, verbose=0).history
