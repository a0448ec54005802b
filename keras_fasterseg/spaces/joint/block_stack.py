"""Blocks of one stage of the joint supernet, with stacked weights and a single trace."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.batch_normalize import batch_normalize
from keras_fasterseg.layers.conv_batch_norm import EPSILON, MOMENTUM
from keras_fasterseg.layers.dilated_conv2d import dilated_convolution
from keras_fasterseg.layers.dropout import dropout
from keras_fasterseg.layers.layer_stack import trace_once
from keras_fasterseg.layers.random_state import SavesRandomState
from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.layers.stateful_cond import stateful_cond
from keras_fasterseg.spaces.joint.choices import BlockOperation, Choices, reached
from keras_fasterseg.tensorflow_cpu import computes_on_tensorflow_cpu

# Keras's `he_normal` is a normal distribution cut off at two deviations; this restores its spread.
_TRUNCATION = 0.87962566103423978


class BlockStack(SavesRandomState, keras.layers.Layer):
    """Chains of 1, 2, ..., N blocks with a shared prefix, mixed by the probability of each depth.

    A block mixes its operations: `relu(sum of p_k * last_k * (x + f_k(x)))`, with f_k = [2x2
    max-pool], 3x1 convolution, batch normalisation, mask `middle_k`, ReLU, 1x3 convolution, batch
    normalisation, [back to full size], dropout. A mask is the expectation of the masks of its
    widths, so shapes are static. Operations of probability 0, and blocks that no depth of positive
    probability reaches, are not computed.

    Args:
        blocks: Largest number of blocks, N.
        filters: Channels of input and output.
        widths: Widths that each convolution chooses from.
        operations: The operations of every block.
        dropout: Dropout rate.
        seed: Seed of the dropout.

    Call arguments:
        inputs: `(batch, height, width, filters)`; sides are even.
        choices: Choices of these blocks, one of `choices.stages`.
        training: Whether batch statistics and dropout are used.

    Output shape:
        The shape of the inputs.

    Reference:
        Ye et al., IJCV 2022 (https://arxiv.org/abs/2208.05271); the shared prefix of the chains is
        not specified in the paper, but our choice.
    """

    def __init__(
        self,
        blocks: int,
        filters: int,
        widths: tuple[int, ...],
        operations: tuple[BlockOperation, ...],
        dropout: float,
        seed: int | None = None,
        **kwargs,
    ):
        # Half precision would round probabilities and statistics.
        super().__init__(autocast=False, **kwargs)  # pyright: ignore[reportCallIssue]
        self.blocks = blocks
        self.filters = filters
        self.operations = operations
        self.dropout = dropout
        self.random = keras.random.SeedGenerator(seed)
        self._masks = np.asarray(
            [np.arange(filters) < width for width in widths], "float32"
        )  # (widths, filters)
        self._block = trace_once(self._traced_block, on_jax=False)

    def build(self, input_shape):
        shape = (self.blocks, len(self.operations))
        deviation = math.sqrt(2.0 / (3 * self.filters)) / _TRUNCATION
        he_normal = keras.initializers.TruncatedNormal(stddev=deviation)
        kernel = (*shape, 3, self.filters, self.filters)
        self.kernels = [
            self.add_weight(name=f"{name}_kernel", shape=kernel, initializer=he_normal)
            for name in ("first", "second")
        ]
        # The second axis after the operations: first and second convolution.
        vectors = (*shape, 2, self.filters)
        self.gamma = self.add_weight(name="gamma", shape=vectors, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=vectors, initializer="zeros")
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=vectors, initializer="zeros", trainable=False
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=vectors, initializer="ones", trainable=False
        )

    def call(self, inputs: Any, choices: Choices, training: bool = False) -> Any:
        masks = [ops.matmul(choices[name], self._masks) for name in ("middle", "last")]
        tails = reached(choices["depth"])
        alive = ops.cast(tails > 0, "float32")
        shares = choices["operation"] * alive[:, None]
        arguments = [
            ops.unstack(ops.convert_to_tensor(values))
            for values in (
                *self.kernels, self.gamma, self.beta, self.moving_mean, self.moving_variance,
                shares, *masks,
            )
        ]  # fmt: skip
        features, outputs, statistics = inputs, 0.0, []
        for depth, values in zip(
            ops.unstack(choices["depth"]), zip(*arguments, strict=True), strict=True
        ):
            features, *changed = self._block(features, *values, training=training)
            outputs = outputs + ops.cast(depth, features.dtype) * features
            statistics.append(changed)
        if training:
            for variable, values in zip(
                (self.moving_mean, self.moving_variance), zip(*statistics, strict=True), strict=True
            ):
                variable.assign(ops.stack(values))
        return outputs

    def _traced_block(
        self, inputs, first, second, gamma, beta, mean, variance, shares, middle, last, training
    ):
        """Output of one block and its statistics; all arguments are those of one block."""
        per_operation = [
            ops.unstack(values)
            for values in (first, second, gamma, beta, mean, variance, shares, middle, last)
        ]
        pooled = ops.max_pool(inputs, 2, 2)
        total, means, variances = ops.zeros_like(inputs), [], []
        for operation, values in zip(
            self.operations, zip(*per_operation, strict=True), strict=True
        ):
            total, mean, variance = self._add(operation, total, inputs, pooled, values, training)
            means.append(mean)
            variances.append(variance)
        return ops.relu(total), ops.stack(means), ops.stack(variances)

    def _add(self, operation, total, inputs, pooled, values, training):
        """Adds an operation to `total` unless its probability is 0; also returns its statistics."""
        first, second, gamma, beta, mean, variance, share, middle, last = values

        def computed():
            source = pooled if operation.pooled else inputs
            kernels = [ops.cast(each, inputs.dtype) for each in (first[:, None], second[None])]
            features = dilated_convolution(source, kernels[0], (operation.dilation, 1))
            features, *one = _normalize(features, gamma[0], beta[0], mean[0], variance[0], training)
            features = ops.relu(features * ops.cast(middle, features.dtype))
            features = dilated_convolution(features, kernels[1], (1, operation.dilation))
            features, *two = _normalize(features, gamma[1], beta[1], mean[1], variance[1], training)
            if operation.pooled:
                size = tuple(ops.shape(inputs)[1:3])
                as_products = training and computes_on_tensorflow_cpu()
                features = resize_bilinear(features, size, as_products)
            if training and self.dropout:
                features = dropout(features, self.dropout, self.random)
            statistics = [ops.stack(pair) for pair in zip(one, two, strict=True)]
            blended = (inputs + features) * ops.cast(share * last, features.dtype)
            return total + blended, *statistics

        pruned = total, mean, variance
        return stateful_cond(share > 0, computed, lambda: pruned, [self.random.state])

    def compute_output_shape(self, input_shape, choices=None):
        return tuple(input_shape)


def _normalize(inputs, gamma, beta, mean, variance, training):
    """Batch normalisation; also returns the new running statistics, as Keras updates them."""
    dtype, inputs = inputs.dtype, ops.cast(inputs, "float32")
    if not training:
        scale = gamma * ops.rsqrt(variance + EPSILON)
        return ops.cast(inputs * scale + (beta - mean * scale), dtype), mean, variance
    outputs, batch_mean, batch_variance = batch_normalize(inputs, gamma, beta, EPSILON)
    return (
        ops.cast(outputs, dtype),
        MOMENTUM * mean + (1 - MOMENTUM) * batch_mean,
        MOMENTUM * variance + (1 - MOMENTUM) * batch_variance,
    )
