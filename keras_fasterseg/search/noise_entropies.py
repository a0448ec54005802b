"""Entropies of a search whose gradients are noise: what the optimizer decides on its own."""

import numpy as np
from keras import ops

from keras_fasterseg.spaces.base import SearchModel

_BETA_2, _EPSILON = 0.999, 1e-7


def noise_entropies(
    model: SearchModel,
    learning_rate: float,
    beta_1: float,
    steps_per_epoch: int,
    epochs: int,
    seed: int = 0,
) -> dict[str, list[dict[str, float]]]:
    """Entropies after every epoch if all gradients of the architectures were white noise.

    Adam divides gradients by their size, so noise of any size decides the same. A search whose
    entropies are not below these has decided no more than noise.

    Args:
        model: The supernet and the architectures, which do not change.
        learning_rate: Learning rate of Adam for the architecture parameters.
        beta_1: Its beta_1.
        steps_per_epoch: Steps per epoch.
        epochs: Number of epochs.
        seed: Seed of the noise.

    Returns:
        By role, the entropies of each epoch by family, as `SearchModel.entropies`.
    """
    generator = np.random.default_rng(seed)
    variables = [
        variable
        for architecture in model.architectures.values()
        for variable in architecture.trainable_variables
    ]
    before = [ops.convert_to_numpy(variable) for variable in variables]
    values = [each.astype("float64") for each in before]
    means, squares = ([np.zeros_like(each) for each in values] for _ in range(2))
    found: dict[str, list[dict[str, float]]] = {role: [] for role in model.architectures}
    for epoch in range(epochs):
        for step in range(1 + epoch * steps_per_epoch, 1 + (epoch + 1) * steps_per_epoch):
            for value, mean, square in zip(values, means, squares, strict=True):
                noise = generator.standard_normal(value.shape)
                mean += (1 - beta_1) * (noise - mean)
                square += (1 - _BETA_2) * (noise**2 - square)
                size = np.sqrt(square / (1 - _BETA_2**step)) + _EPSILON
                value -= learning_rate * mean / (1 - beta_1**step) / size
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value.astype("float32"))
        for role, entropies in found.items():
            entropies.append(model.entropies(role))
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    return found
