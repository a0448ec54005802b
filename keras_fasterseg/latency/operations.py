"""The operation behind an `OpKey`: its layer, its size and its work."""

import keras

from keras_fasterseg.genotype import PRIMITIVES
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head, head_filters
from keras_fasterseg.layers.primitives import make_primitive


def build_operation(key: OpKey) -> keras.Model:
    """The operation as a model of its own, at batch size 1 and static size."""
    images = keras.Input((key.height, key.width, key.in_filters), batch_size=1, name="images")
    if key.operation == "head":
        layer = Head(key.out_filters)
    elif key.operation == "conv_bn_relu_3x3":
        layer = ConvBatchNorm(key.out_filters, 3, key.stride)
    elif key.operation in PRIMITIVES and key.operation != "skip":
        layer = make_primitive(key.operation, key.out_filters, key.stride)
    elif key.stride == 2:
        layer = make_primitive("skip", key.out_filters, 2)
    else:
        layer = ConvBatchNorm(key.out_filters, 1)
    return keras.Model(images, layer(images))


def multiply_accumulates(key: OpKey) -> int:
    """Multiply-accumulates of the operation's convolutions for one image."""
    kernels = (kernel * kernel * inputs * outputs for kernel, inputs, outputs in _convolutions(key))
    return sum(kernels) * _pixels(key)


def output_elements(key: OpKey) -> int:
    """Values that the operation's convolutions put out for one image."""
    return sum(outputs for _, _, outputs in _convolutions(key)) * _pixels(key)


def parameters(key: OpKey) -> int:
    """Trainable parameters of the operation: kernels, scales and offsets, a head's bias."""
    kernels = (kernel * kernel * inputs * outputs for kernel, inputs, outputs in _convolutions(key))
    bias = key.out_filters if key.operation == "head" else 0
    return sum(kernels) + 2 * normalized_filters(key) + bias


def normalized_filters(key: OpKey) -> int:
    """Filters that are batch-normalized: all but those of a head's last convolution."""
    filters = sum(outputs for _, _, outputs in _convolutions(key))
    return filters - key.out_filters if key.operation == "head" else filters


def _pixels(key: OpKey) -> int:
    """Pixels of the output of each convolution."""
    stride = 2 if key.operation.endswith("downup") else key.stride
    return (key.height // stride) * (key.width // stride)


def _convolutions(key: OpKey) -> list[tuple[int, int, int]]:
    """Kernel side, input and output filters of every convolution; `serving` has none."""
    inputs, outputs = key.in_filters, key.out_filters
    if key.operation == "serving":
        return []
    if key.operation == "head":
        middle = head_filters(inputs)
        return [(3, inputs, middle), (1, middle, outputs)]
    if key.operation in ("skip", "fusion", "conv_bn_relu_1x1"):
        return [(1, inputs, outputs)]
    convolutions = [(3, inputs, outputs)]
    if key.operation.startswith("conv_2x"):
        convolutions.append((3, outputs, outputs))
    return convolutions
