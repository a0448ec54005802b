"""The architectures of a supernet: their variables, and gradients on the backends that search."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tests.search.tiny_space import functions_run_eagerly


def draw_architectures(model, seed):
    generator = np.random.default_rng(seed)
    for variable in architecture_variables(model):
        variable.assign(generator.normal(size=variable.shape))


def architecture_variables(model):
    return [
        variable
        for architecture in model.architectures.values()
        for variable in architecture.trainable_variables
    ]


def gradients(value: Callable[[], Any], variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Gradients of a number by variables; zeros where it does not depend on one."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with functions_run_eagerly(), tf.GradientTape() as tape:
            result = value()
        found = tape.gradient(
            result,
            [variable.value for variable in variables],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return [np.asarray(tf.convert_to_tensor(gradient)) for gradient in found]
    import jax

    def of(values):
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return value()

    found = jax.jit(jax.grad(of))([variable.value for variable in variables])
    return [np.asarray(gradient) for gradient in found]
