"""Solution space regularization: drives the probabilities of a search to one-hot."""

from typing import Any

import keras
from keras import ops

LEAST_PROBABILITY = 1e-6


def normalized_sigmoid(logits: Any, valid: Any) -> Any:
    """Probabilities `sigmoid(a_i) / sum of sigmoid(a_j) over the valid j`, 0 for invalid entries.

    Unlike a softmax, a larger logit changes the other probabilities little once it is large.

    Args:
        logits: Groups of choices, float32 `(..., n)`.
        valid: Boolean mask of the shape of `logits`, with at least one entry per group.

    Reference:
        Ye et al., IJCV 2022 (https://arxiv.org/abs/2208.05271).
    """
    # Scaled by the group's largest, or logits far below zero would all become 0.
    logs = ops.where(valid, ops.log_sigmoid(logits), -1e9)
    values = ops.exp(logs - ops.stop_gradient(ops.max(logs, axis=-1, keepdims=True)))
    values = ops.where(valid, values, 0.0)
    return values / ops.sum(values, axis=-1, keepdims=True)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class SolutionSpaceRegularizer(keras.regularizers.Regularizer):
    """Mean over groups of `1/n * sum of log p_i + log n`, times a weight.

    It is 0 for uniform groups and falls as a group approaches one-hot, so that minimising it makes
    the search decide. A group's invalid entries have probability 0 and add nothing. It would fall
    without limit as a valid entry vanishes; entries below `LEAST_PROBABILITY` therefore count as
    that much and get no gradient (not specified in the paper; our choice).

    Args:
        weight: Factor of the result.

    Call arguments:
        probabilities: Groups of choices, float32 `(..., n)`; each group adds up to 1.

    Reference:
        Ye et al., "Joint-dimensional search with Solution Space Regularization", IJCV 2022
        (https://arxiv.org/abs/2208.05271).
    """

    def __init__(self, weight: float = 1.0):
        self.weight = weight

    def __call__(self, probabilities: Any) -> Any:
        choices = probabilities.shape[-1]
        valid = probabilities > 0
        safe = ops.where(valid, ops.maximum(probabilities, LEAST_PROBABILITY), 1.0)
        groups = ops.mean(ops.log(safe), axis=-1) + ops.log(ops.cast(choices, "float32"))
        return self.weight * ops.mean(groups)

    def get_config(self):
        return {"weight": self.weight}
