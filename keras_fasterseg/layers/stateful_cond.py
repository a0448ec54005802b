"""Conditional branches that change variables. This file has a switch for JAX."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
from keras import ops


def stateful_cond(
    predicate: Any,
    true_branch: Callable[[], Any],
    false_branch: Callable[[], Any],
    variables: Iterable[keras.Variable],
) -> Any:
    """`ops.cond` whose branches may change those of `variables` that are not trainable.

    JAX runs both branches as pure functions, which receive and return the values of variables.

    Args:
        predicate: A scalar boolean tensor.
        true_branch: Returns tensors if the predicate is true.
        false_branch: Returns tensors of the same shapes otherwise.
        variables: All variables that the branches read or change.
    """
    if keras.backend.backend() != "jax":
        return ops.cond(predicate, true_branch, false_branch)
    mapping = [(variable, variable.value) for variable in variables]
    changing = [variable for variable, _ in mapping if not variable.trainable]

    def pure(branch):
        def run():
            with keras.StatelessScope(state_mapping=mapping):
                return branch(), [variable.value for variable in changing]

        return run

    outputs, values = ops.cond(predicate, pure(true_branch), pure(false_branch))
    for variable, value in zip(changing, values, strict=True):
        variable.assign(value)
    return outputs
