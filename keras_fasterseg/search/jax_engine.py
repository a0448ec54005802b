"""Runs the steps of a supernet's training on JAX."""

from collections.abc import Callable, Sequence
from typing import Any

import jax  # pyright: ignore[reportMissingImports]
import keras
from jax import numpy as jnp  # pyright: ignore[reportMissingImports]

from keras_fasterseg.spaces.base import Choices, SearchModel, Tensor


class Engine(keras.Model):
    """Compiles a step; settings run one after another. See `SupernetTrainer`.

    A scan over the settings adds up their gradients, so a step needs the memory of one setting.
    """

    model: SearchModel

    def train_step(self, state, data):
        groups = self._groups()
        mapping = [
            pair
            for group, values in zip(groups, state, strict=True)
            for pair in zip(group, values, strict=True)
        ]
        with keras.StatelessScope(state_mapping=mapping):
            self.step(data)
            logs = {metric.name: metric.result() for metric in self.metrics}
            return logs, tuple(_values(group) for group in groups)

    def _groups(self) -> tuple[list[keras.Variable], ...]:
        """All variables, in the order of Keras's state of a training."""
        return (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )

    def update(
        self,
        choose: Callable[[], tuple[Choices, Any]],
        loss: Callable[[Choices], Tensor],
        trained: Sequence[tuple[keras.optimizers.Optimizer, Sequence[keras.Variable]]],
        terms: Callable[[Any], Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        weights = [variable for _, variables in trained for variable in variables]
        names = {id(variable) for variable in weights}
        others = [each for group in self._groups() for each in group if id(each) not in names]
        values = _values(weights)

        def settings():
            choices, own = choose()
            passes = jax.tree.map(lambda *each: jnp.stack(each), *self.model.passes(choices))
            return passes, jnp.zeros(()) if terms is None else terms(own)

        choosing, start = _pure(settings, weights, others, others), _values(others)
        (passes, extra), to_weights, state = jax.vjp(
            lambda values: choosing(values, start), values, has_aux=True
        )
        _assign(others, state)
        # A scan copies its state: only what a pass changes.
        changing = [each for each in self.model.supernet.variables if not each.trainable]
        differentiated = jax.value_and_grad(
            _pure(loss, weights, others, changing), argnums=(0, 2), has_aux=True
        )

        def one_pass(carry, choices):
            total, gradients, state = carry
            (value, state), (more, to_choices) = differentiated(values, state, choices)
            return (total + value, jax.tree.map(jnp.add, gradients, more), state), to_choices

        begin = jnp.zeros(()), jax.tree.map(jnp.zeros_like, values), _values(changing)
        (value, gradients, state), to_choices = jax.lax.scan(one_pass, begin, passes)
        _assign(changing, state)
        (through_choices,) = to_weights((to_choices, jnp.ones_like(extra)))
        gradients = jax.tree.map(jnp.add, gradients, through_choices)
        for optimizer, variables in trained:
            optimizer.apply(gradients[: len(variables)], variables)
            gradients = gradients[len(variables) :]
        return value, value + extra


def _pure(
    function: Callable[..., Any],
    weights: Sequence[keras.Variable],
    others: Sequence[keras.Variable],
    changing: Sequence[keras.Variable],
) -> Callable[..., tuple[Any, list[Any]]]:
    """Makes a function of the values of `weights` and `changing`, and of its own arguments.

    It returns the outputs and the new values of `changing`. All `others` keep their values.
    """
    fixed = list(zip(others, _values(others), strict=True))

    def run(values, state, *arguments):
        own = [*zip(weights, values, strict=True), *zip(changing, state, strict=True)]
        with keras.StatelessScope(state_mapping=[*fixed, *own]):
            return function(*arguments), _values(changing)

    return run


def _values(variables: Sequence[keras.Variable]) -> list[Any]:
    return [variable.value for variable in variables]


def _assign(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
