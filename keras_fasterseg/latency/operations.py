"""What the operation behind an `OpKey` is: its layer, its size and its work."""

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
    pixels = (key.height // key.stride) * (key.width // key.stride)
    if key.operation.endswith("downup"):
        pixels = (key.height // 2) * (key.width // 2)
    return sum(
        kernel * kernel * inputs * outputs * pixels
        for kernel, inputs, outputs in _convolutions(key)
    )


def parameters(key: OpKey) -> int:
    """Trainable parameters of the operation: kernels, scales and offsets, a head's bias."""
    count = 0
    for kernel, inputs, outputs in _convolutions(key):
        count += kernel * kernel * inputs * outputs + 2 * outputs
    # A head's last convolution has a bias in place of scale and offset.
    return count - key.out_filters if key.operation == "head" else count


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
