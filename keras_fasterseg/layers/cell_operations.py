"""Operations on the edges of cells: ReLU, then convolution, then batch normalisation."""

from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import EPSILON, MOMENTUM
from keras_fasterseg.layers.dilated_conv2d import dilated_depthwise_convolution
from keras_fasterseg.layers.fused_batch_normalization import FusedBatchNormalization
from keras_fasterseg.layers.pointwise_reduction import pointwise_reduction

ZERO, SKIP = "zero", "skip"

_SEPARABLE = {"separable": (1, 2), "dilated_2": (2, 1), "dilated_4": (4, 1), "dilated_8": (8, 1)}
_KERNELS = {"conv": 3, "conv_1x1": 1}

CELL_OPERATIONS = (ZERO, SKIP, "max_pool", "conv", *_SEPARABLE)
"""Names of the operations of an edge: none, the input itself, 3x3 max-pool, 3x3 convolution, two
3x3 separable convolutions, and one 3x3 separable convolution of dilation 2, 4 or 8."""


def make_cell_operation(
    operation: str, filters: int, strides: int = 1, affine: bool = True, **kwargs: Any
) -> keras.layers.Layer:
    """Makes the layer of an operation.

    Args:
        operation: One of `CELL_OPERATIONS` except "zero", or "conv_1x1".
        filters: Channels of the output, and of the input.
        strides: 1 or 2.
        affine: Whether batch normalisations have a scale and an offset.
        **kwargs: Passed to the layer, for example `name` and `dtype`.

    Raises:
        ValueError: `operation` is unknown.
    """
    if operation == SKIP:
        if strides == 1:
            return keras.layers.Identity(**kwargs)
        return CellReduction(filters, affine, **kwargs)
    if operation == "max_pool":
        return CellPooling(strides, affine, **kwargs)
    if operation in _KERNELS:
        return CellConvolution(filters, _KERNELS[operation], strides, affine=affine, **kwargs)
    if operation not in _SEPARABLE:
        names = (*CELL_OPERATIONS[1:], "conv_1x1")
        raise ValueError(f"`operation` must be one of {names}. Received: {operation!r}")
    dilation, repeats = _SEPARABLE[operation]
    return SeparableCellConvolution(filters, strides, dilation, repeats, affine, **kwargs)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class CellConvolution(keras.layers.Layer):
    """ReLU, square convolution without bias, batch normalisation.

    Zero padding is symmetric, `kernel_size // 2` on every side, also at stride 2.

    Args:
        filters: Output channels.
        kernel_size: Side of the kernel, odd.
        strides: Stride in both directions.
        affine: Whether the normalisation has a scale and an offset.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, ceil(height / strides), ceil(width / strides), filters)`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        strides: int = 1,
        affine: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd. Received: kernel_size={kernel_size}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.affine = affine
        self.normalization = _normalization(self)

    def build(self, input_shape):
        shape = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="he_normal")
        self.normalization.build((*input_shape[:-1], self.filters))

    def call(self, inputs, training: bool | None = None):
        outputs, padding = _padded(ops.relu(inputs), self.strides, self.kernel_size)
        kernel = ops.convert_to_tensor(self.kernel)
        outputs = ops.conv(outputs, kernel, strides=self.strides, padding=padding)
        return self.normalization(outputs, training=training)

    def compute_output_shape(self, input_shape):
        return _strided(input_shape, self.strides, self.filters)

    def get_config(self):
        names = ("filters", "kernel_size", "strides", "affine")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class SeparableCellConvolution(keras.layers.Layer):
    """ReLU, 3x3 depthwise and 1x1 convolution, batch normalisation; all of it `repeats` times.

    Only the first depthwise convolution has the stride. At stride 2, an even dilation reads even
    rows and columns alone: they are taken out first, and the dilation is halved.

    Args:
        filters: Output channels.
        strides: Stride in both directions: 1, or 2 with a dilation of 1 or an even one.
        dilation: Dilation of the depthwise kernels.
        repeats: Number of separable convolutions.
        affine: Whether normalisations have a scale and an offset.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, ceil(height / strides), ceil(width / strides), filters)`.

    Reference:
        SepConv (twice) and DilConv (once) of DARTS (https://arxiv.org/abs/1806.09055).
    """

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        dilation: int = 1,
        repeats: int = 1,
        affine: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if strides != 1 and dilation % 2 and dilation != 1:
            raise ValueError(
                f"A stride of {strides} needs a dilation of 1 or an even one. "
                f"Received: dilation={dilation}"
            )
        self.filters = filters
        self.strides = strides
        self.dilation = dilation
        self.repeats = repeats
        self.affine = affine
        self.normalizations = [_normalization(self, str(index)) for index in range(repeats)]

    def build(self, input_shape):
        channels, self.kernels = input_shape[-1], []
        for index, normalization in enumerate(self.normalizations):
            shapes = {"depthwise": (3, 3, channels, 1), "pointwise": (1, 1, channels, self.filters)}
            self.kernels.append(
                [
                    self.add_weight(name=f"{name}_{index}", shape=shape, initializer="he_normal")
                    for name, shape in shapes.items()
                ]
            )
            channels = self.filters
            normalization.build((*input_shape[:-1], channels))

    def call(self, inputs, training: bool | None = None):
        outputs, strides, dilation = inputs, self.strides, self.dilation
        if strides == 2 and dilation > 1:
            outputs, strides, dilation = outputs[:, ::2, ::2], 1, dilation // 2
        for kernels, normalization in zip(self.kernels, self.normalizations, strict=True):
            depthwise, pointwise = map(ops.convert_to_tensor, kernels)
            outputs = ops.relu(outputs)
            if dilation > 1:
                outputs = dilated_depthwise_convolution(outputs, depthwise, dilation)
            else:
                outputs, padding = _padded(outputs, strides, 3)
                outputs = ops.depthwise_conv(outputs, depthwise, strides=strides, padding=padding)
            outputs = normalization(ops.conv(outputs, pointwise), training=training)
            strides = 1
        return outputs

    def compute_output_shape(self, input_shape):
        return _strided(input_shape, self.strides, self.filters)

    def get_config(self):
        names = ("filters", "strides", "dilation", "repeats", "affine")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class CellPooling(keras.layers.Layer):
    """3x3 max-pool and batch normalisation.

    At stride 2 and an even size, the window of output pixel i begins at input pixel 2 i.

    Args:
        strides: Stride in both directions.
        affine: Whether the normalisation has a scale and an offset.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, ceil(height / strides), ceil(width / strides), channels)`.
    """

    def __init__(self, strides: int = 1, affine: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.strides = strides
        self.affine = affine
        self.normalization = _normalization(self)

    def build(self, input_shape):
        self.normalization.build(input_shape)

    def call(self, inputs, training: bool | None = None):
        outputs = ops.max_pool(inputs, 3, strides=self.strides, padding="same")
        return self.normalization(outputs, training=training)

    def compute_output_shape(self, input_shape):
        return _strided(input_shape, self.strides, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "strides": self.strides, "affine": self.affine}


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class CellReduction(keras.layers.Layer):
    """ReLU, two 1x1 convolutions of stride 2, offset by one pixel and joined, batch normalisation.

    Half of the channels read the even rows and columns, the other half the odd ones.

    Args:
        filters: Output channels, even.
        affine: Whether the normalisation has a scale and an offset.

    Input shape:
        `(batch, height, width, channels)`; height and width are even.

    Output shape:
        `(batch, height / 2, width / 2, filters)`.

    Raises:
        ValueError: `filters` is odd.

    Reference:
        FactorizedReduce of DARTS (https://arxiv.org/abs/1806.09055).
    """

    def __init__(self, filters: int, affine: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        if filters % 2:
            raise ValueError(f"`filters` must be even. Received: filters={filters}")
        self.filters = filters
        self.affine = affine
        self.normalization = _normalization(self)

    def build(self, input_shape):
        shape = (1, 1, input_shape[-1], self.filters // 2)
        self.kernels = [
            self.add_weight(name=f"{name}_kernel", shape=shape, initializer="he_normal")
            for name in ("even", "odd")
        ]
        self.normalization.build((*input_shape[:-1], self.filters))

    def call(self, inputs, training: bool | None = None):
        inputs = ops.relu(inputs)
        halves = [
            pointwise_reduction(part, ops.convert_to_tensor(kernel), training)
            for part, kernel in zip((inputs, inputs[:, 1:, 1:]), self.kernels, strict=True)
        ]
        return self.normalization(ops.concatenate(halves, axis=-1), training=training)

    def compute_output_shape(self, input_shape):
        return _strided(input_shape, 2, self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "affine": self.affine}


def _normalization(layer: Any, suffix: str = "") -> FusedBatchNormalization:
    return FusedBatchNormalization(
        momentum=MOMENTUM,
        epsilon=EPSILON,
        center=layer.affine,
        scale=layer.affine,
        dtype=layer.dtype_policy,
        name="normalization" + (f"_{suffix}" if suffix else ""),
    )


def _padded(inputs: Any, strides: int, kernel_size: int) -> tuple[Any, str]:
    """Inputs and the backend's padding that pad symmetrically with zeros."""
    margin = kernel_size // 2
    if strides == 1 or margin == 0:
        return inputs, "same" if margin else "valid"
    return ops.pad(inputs, ((0, 0), (margin, margin), (margin, margin), (0, 0))), "valid"


def _strided(input_shape: Any, strides: int, filters: int) -> tuple[int | None, ...]:
    sides = (None if side is None else -(-side // strides) for side in input_shape[1:3])
    return (input_shape[0], *sides, filters)
