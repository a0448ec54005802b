"""Graph-guided communication between the architectures of consecutive cells."""

from typing import Any

import keras
from keras import ops


class GraphGuidance(keras.layers.Layer):
    """Adds to the logits of a cell a message from those of the cell before.

    With p edges and q operations, `a` of the cell and `b` of the one before, both `(p, q)`:

        adjacency = softmax((a W1) (b W2)^T), by row: (p, p)
        outputs = a + weight * Phi2(adjacency X Wg + X), X = Phi1(b)

    Phi1 (q to features) and Phi2 (back) are linear without biases. The logits passed on to the
    next cell are the raw ones. All pairs of cells share one module. The message starts small, so
    that no operation is preferred at random. Raw logits, sharing and the start are not specified
    in the paper, but our choices.

    Args:
        features: Features of an edge in the graph convolution.
        weight: Weight of the message, g. 0 returns the logits unchanged.

    Call arguments:
        logits: `(cells, p, q)`; the first cell gets no message.

    Output shape:
        The shape of the logits.

    Reference:
        Lin et al., CVPR 2020 (https://arxiv.org/abs/1909.06793).
    """

    def __init__(self, features: int = 64, weight: float = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.features = features
        self.weight = weight

    def build(self, input_shape):
        operations, features = input_shape[-1], self.features
        shapes = {
            "own": (operations, operations),
            "previous": (operations, operations),
            "inward": (operations, features),
            "convolution": (features, features),
            "outward": (features, operations),
        }
        small = keras.initializers.RandomNormal(stddev=0.01)
        for name, shape in shapes.items():
            initializer = small if name == "outward" else "glorot_uniform"
            weight = self.add_weight(
                name=name, shape=shape, initializer=initializer, autocast=False
            )
            setattr(self, f"{name}_kernel", weight)

    def call(self, logits):
        current, before = logits[1:], logits[:-1]
        message = self.message(current, before)
        return ops.concatenate([logits[:1], current + self.weight * message], axis=0)

    def adjacency(self, current, before):
        """Weights `(..., p, p)` of the edges of the cell before; rows add up to 1."""
        own = ops.matmul(current, self.own_kernel)
        previous = ops.matmul(before, self.previous_kernel)
        return ops.softmax(ops.matmul(own, ops.swapaxes(previous, -1, -2)), axis=-1)

    def message(self, current, before):
        """The message, before it is weighted."""
        inner = ops.matmul(before, self.inward_kernel)
        mixed = ops.matmul(self.adjacency(current, before), inner)
        return ops.matmul(ops.matmul(mixed, self.convolution_kernel) + inner, self.outward_kernel)

    def get_config(self):
        return {**super().get_config(), "features": self.features, "weight": self.weight}
