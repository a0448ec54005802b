"""Pyramid pooling: adds averages over coarse grids to a feature map; a backend switch."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.tensorflow_cpu import computes_on_tensorflow_cpu

BINS = (1, 2, 3, 6, 9)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class PyramidPooling(keras.layers.Layer):
    """Averages over grids, 1x1 conv-bn-relu of each, resizing, concatenation, 1x1 conv-bn-relu.

    A grid of b x b bins covers the map as in PyTorch's adaptive average pooling: bin i of a side
    covers pixels `floor(i * side / b)` up to, but not including, `ceil((i + 1) * side / b)`. Bins
    may overlap, and there may be more bins than pixels. The convolution of each grid has 5/16 of
    `filters`: 40 of the published 128 (the scaling is not specified in the paper; our choice).
    Resizing is bilinear with aligned corners.

    Args:
        filters: Output channels.
        bins: Bins along a side, for each grid.

    Input shape:
        `(batch, height, width, channels)`; height and width may be `None` (TensorFlow).

    Output shape:
        `(batch, height, width, filters)`.

    Reference:
        Pyramid Scene Parsing Network (https://arxiv.org/abs/1612.01105), with the bins of Ye et
        al., IJCV 2022 (https://arxiv.org/abs/2208.05271).
    """

    def __init__(self, filters: int, bins: Sequence[int] = BINS, **kwargs):
        super().__init__(**kwargs)
        if filters < 1 or min(bins, default=0) < 1:
            raise ValueError(
                "`filters` and all of `bins` must be at least 1. Received: "
                f"filters={filters}, bins={tuple(bins)}"
            )
        self.filters = filters
        self.bins = tuple(bins)
        self.bin_filters = max(1, 5 * filters // 16)
        self.reductions = [
            ConvBatchNorm(self.bin_filters, 1, dtype=self.dtype_policy, name=f"bins_{count}")
            for count in self.bins
        ]
        self.projection = ConvBatchNorm(filters, 1, dtype=self.dtype_policy, name="projection")

    def build(self, input_shape):
        *sides, channels = input_shape
        for reduction in self.reductions:
            reduction.build((input_shape[0], None, None, channels))
        self.projection.build((*sides, channels + len(self.bins) * self.bin_filters))

    def call(self, inputs, training: bool | None = None):
        _, height, width, _ = ops.shape(inputs)
        as_products = bool(training) and computes_on_tensorflow_cpu()
        maps = [inputs]
        for grid, reduction in zip(self._grids(inputs), self.reductions, strict=True):
            reduced = reduction(grid, training=training)
            maps.append(resize_bilinear(reduced, (height, width), as_products))
        return self.projection(ops.concatenate(maps, axis=-1), training=training)

    def _grids(self, inputs):
        """Averages of every grid, `(batch, bins, bins, channels)`."""
        _, height, width, channels = ops.shape(inputs)
        rows, columns = (
            [ops.cast(averaging_matrix(side, count), inputs.dtype) for count in self.bins]
            for side in (height, width)
        )
        # One product along the height for all grids reads the large map once.
        lines = ops.reshape(inputs, (-1, height, width * channels))
        lines = ops.matmul(ops.concatenate(rows, axis=0), lines)
        lines = ops.reshape(lines, (-1, sum(self.bins), width, channels))
        ends = np.cumsum(self.bins).tolist()
        if keras.backend.backend() == "torch":
            # Keras's split reads its sizes from tensors, which PyTorch's exporter cannot trace.
            pairs = zip(self.bins, ends, strict=True)
            grids = [lines[:, end - count : end] for count, end in pairs]
        else:
            grids = ops.split(lines, ends[:-1], axis=1)
        return [ops.matmul(matrix, grid) for matrix, grid in zip(columns, grids, strict=True)]

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "bins": self.bins}


def averaging_matrix(side: Any, bins: int) -> Any:
    """Weights `(bins, side)` whose product with a side of pixels averages each bin.

    Args:
        side: Number of pixels: an integer for an array, a scalar tensor for a tensor.
        bins: Number of bins.
    """
    library = np if isinstance(side, int) else ops
    index = np.arange(bins, dtype="int32")[:, None]
    # Only positive operands: runtimes disagree about the quotient of a negative number.
    first, end = index * side // bins, ((index + 1) * side + (bins - 1)) // bins
    pixels = library.arange(side)
    covered = library.clip(library.minimum(pixels - first + 1, end - pixels), 0, 1)
    return library.divide(covered, end - first)
