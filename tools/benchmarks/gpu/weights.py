"""Random weights and images that are the same on every backend."""

import hashlib

import keras
import numpy as np


def set_random_weights(network: keras.Model, seed: int = 0) -> str:
    """Sets all weights to random values that depend only on their order and shapes.

    Kernels have He's deviation; batch normalisations have scales, offsets and statistics other
    than their initial ones, so that folding them is not trivial.

    Returns:
        A digest of all weights, in hexadecimal digits.
    """
    generator = np.random.default_rng(seed)
    digest = hashlib.sha256()
    for variable in network.weights:
        values = _values(variable.name, tuple(variable.shape), generator).astype("float32")
        variable.assign(values)
        digest.update(values.tobytes())
    return digest.hexdigest()


def _values(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if len(shape) > 1:
        return generator.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
    if name in ("gamma", "moving_variance"):
        return generator.uniform(0.8, 1.2, shape)
    return generator.uniform(-0.1, 0.1, shape)


def random_images(batch: int, height: int, width: int) -> np.ndarray:
    """Images of coloured squares with noise, uint8 `(batch, height, width, 3)`.

    Image n is the same in every batch.
    """
    images = np.empty((batch, height, width, 3), "uint8")
    for seed, image in enumerate(images):
        generator = np.random.default_rng(seed)
        colours = generator.integers(20, 236, (-(-height // 32), -(-width // 32), 3))
        squares = colours.repeat(32, 0).repeat(32, 1)[:height, :width]
        image[...] = squares + generator.integers(-20, 20, squares.shape)
    return images
