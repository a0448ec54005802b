"""Stem of every network: from images to features at 1/8."""

import keras

from keras_fasterseg.filters import node_filters
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.primitives import ConvPrimitive


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class Stem(keras.layers.Layer):
    """conv-bn-relu, then two `conv_2x`, each of stride 2.

    Args:
        base_filters: The network's base filters F: a node at scale s has s * F filters.
        width: Width multiplier: 1 for the teacher, 8/12 for the student in the paper.
        with_quarter: Whether to return the features at 1/4, too.

    Input shape:
        `(batch, height, width, 3)`.

    Output shape:
        `(batch, height / 8, width / 8, 8 * base_filters * width)`; sizes round up. With
        `with_quarter`, a pair: the features at 1/4 come first.

    Reference:
        FasterSeg's released `stem` (https://arxiv.org/abs/1912.10917).
    """

    def __init__(self, base_filters: int, width: float = 1.0, with_quarter: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.base_filters = base_filters
        self.width = width
        self.with_quarter = with_quarter
        first, second, third = stem_filters(base_filters, width)
        self.stages = [
            ConvBatchNorm(first, 3, 2, dtype=self.dtype_policy, name="stage_0"),
            ConvPrimitive(second, 2, 2, dtype=self.dtype_policy, name="stage_1"),
            ConvPrimitive(third, 2, 2, dtype=self.dtype_policy, name="stage_2"),
        ]

    def build(self, input_shape):
        for stage in self.stages:
            stage.build(input_shape)
            input_shape = stage.compute_output_shape(input_shape)

    def call(self, inputs, training: bool | None = None):
        results = [inputs]
        for stage in self.stages:
            results.append(stage(results[-1], training=training))
        return tuple(results[-2:]) if self.with_quarter else results[-1]

    def compute_output_shape(self, input_shape):
        shapes = [input_shape]
        for stage in self.stages:
            shapes.append(stage.compute_output_shape(shapes[-1]))
        return tuple(shapes[-2:]) if self.with_quarter else shapes[-1]

    def get_config(self):
        config = {
            "base_filters": self.base_filters,
            "width": self.width,
            "with_quarter": self.with_quarter,
        }
        return {**super().get_config(), **config}


def stem_filters(base_filters: int, width: float) -> tuple[int, int, int]:
    """Output filters of the stem's three stages."""
    return (
        2 * round(2 * base_filters * width),
        2 * round(4 * base_filters * width),
        node_filters(8, base_filters, width),
    )
