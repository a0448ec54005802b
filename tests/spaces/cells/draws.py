"""Random choices and weights, for tests of spaces of cells."""

import keras
import numpy as np


def images():
    return keras.random.normal((1, 64, 96, 3), seed=0)


def randomize(model):
    """Gives the supernet's normalisations statistics that are not those of the start."""
    generator = np.random.default_rng(0)
    for variable in model.supernet.variables:
        if variable.path.endswith("moving_mean"):
            variable.assign(0.1 * generator.normal(size=variable.shape))
        if variable.path.endswith("moving_variance"):
            variable.assign(generator.uniform(0.5, 1.5, size=variable.shape))


def one_hot(indexes, shapes):
    """Choices of these numbers, by family."""
    return {
        family: np.eye(shapes[family][-1], dtype="float32")[each]
        for family, each in indexes.items()
    }


def drawn(generator, shapes, share):
    """Random numbers of choices by family, of which a share is the first."""
    return {
        family: np.where(
            generator.random(shape[:-1]) < share, 0, generator.integers(shape[-1], size=shape[:-1])
        )
        for family, shape in shapes.items()
    }
