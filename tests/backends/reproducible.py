"""Weights, random draws and batches from NumPy: the same on every backend."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any
from unittest import mock

import keras
import numpy as np

CLASSES, SIZE = 3, (64, 64)


def fix_weights(variables: Iterable[keras.Variable], seed: int = 0) -> None:
    """Sets kernels to He-normal values, and other weights to values around 1."""
    generator = np.random.default_rng(seed)
    for variable in variables:
        if len(variable.shape) > 2:
            deviation = np.sqrt(2.0 / np.prod(variable.shape[-4:-1]))
            variable.assign(generator.normal(0.0, deviation, tuple(variable.shape)))
        else:
            variable.assign(1.0 + 0.1 * generator.normal(size=tuple(variable.shape)))


@contextlib.contextmanager
def fixed_draws() -> Iterator[None]:
    """Replaces random numbers by numbers that depend only on the shape."""

    def uniform(shape, **_):
        return np.random.default_rng(tuple(shape)).random(tuple(shape), "float32")

    def randint(shape, low, high, **_):
        return np.random.default_rng(tuple(shape)).integers(low, high, tuple(shape), "int32")

    with (
        mock.patch("keras.random.uniform", uniform),
        mock.patch("keras.random.randint", randint),
    ):
        yield


def batches(size: tuple[int, int] = SIZE, count: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """Batches of two images, whose colours tell the labels of squares of 16 pixels."""
    found = []
    for seed in range(count):
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, CLASSES, (2, size[0] // 16, size[1] // 16))
        labels = labels.repeat(16, 1).repeat(16, 2)
        images = generator.normal(size=(2, *size, 3)) + 0.3 * labels[..., None]
        labels[:, :3] = 255
        found.append((images.astype("float32"), labels.astype("int32")))
    return found


def step_logs(trainer: keras.Model, data: list[Any], first: int, steps: int) -> dict[str, list]:
    """Metrics of every single step of a training, from step `first` on."""
    stream = (batch for batch in itertools.islice(itertools.cycle(data), first, None))
    history = trainer.fit(stream, epochs=steps, steps_per_epoch=1, shuffle=False, verbose=0)
    return {name: list(map(float, values)) for name, values in history.history.items()}
