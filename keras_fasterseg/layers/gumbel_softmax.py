"""Sampling of one choice among several, with gradients to all of them."""

from typing import Any

from keras import ops

NOISE_FLOOR = 1e-20


def gumbel_softmax(logits: Any, uniform: Any, temperature: float = 1.0) -> Any:
    """A hard Gumbel-softmax sample with a straight-through gradient.

    Args:
        logits: `(..., choices)`, unnormalised.
        uniform: Uniform noise in [0, 1) of the same shape.
        temperature: Temperature of the softmax that carries the gradient.

    Returns:
        A tensor with the shape of `logits`. Its value is exactly one-hot; its gradient is that of
        the soft sample.

    Reference:
        Jang et al., Categorical Reparameterization with Gumbel-Softmax
        (https://arxiv.org/abs/1611.01144).
    """
    noise = gumbel_noise(uniform)
    soft = ops.softmax((ops.log_softmax(logits, axis=-1) + noise) / temperature, axis=-1)
    return straight_through(soft)


def straight_through(soft: Any) -> Any:
    """The one-hot of the likeliest choice, with the gradient of the soft choices."""
    hard = ops.one_hot(ops.argmax(soft, axis=-1), soft.shape[-1], dtype=soft.dtype)
    return hard + (soft - ops.stop_gradient(soft))


def gumbel_noise(uniform: Any) -> Any:
    """Gumbel noise from uniform noise in [0, 1)."""
    return -ops.log(-ops.log(uniform + NOISE_FLOOR) + NOISE_FLOOR)


def straight_through_gate(sample: Any) -> Any:
    """Sampled entry of a straight-through one-hot `(..., choices)`: value 1, with its gradient."""
    return ops.sum(ops.stop_gradient(sample) * sample, axis=-1)
