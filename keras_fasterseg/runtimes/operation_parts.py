"""Parts of the timed graphs of single operations that are the same in every runtime."""

import keras
import numpy as np

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.runtimes.serving_graph import ServingGraph

# A convolution of stride 8 reads a sixteenth of its input, in the runtime's own layout, so nothing
# is converted back to the layout of the outputs. Its kernel is 2x2: OpenVINO moves the stride of a
# 1x1 convolution into the preceding operation, which would then compute next to nothing.
_TAIL_KERNEL = 2
TAIL_STRIDE = 8
_TAIL_FILTERS = 16

# Random numbers repeat after this many: drawing millions would take longer than the measurement.
_BLOCK = 2**16


def tail_kernels(filters: int, copies: int) -> list[np.ndarray]:
    """Kernels of the convolutions of stride `TAIL_STRIDE` that read the results of the copies."""
    generator = np.random.default_rng(0)
    shape = (_TAIL_KERNEL, _TAIL_KERNEL, filters, _TAIL_FILTERS)
    return [generator.standard_normal(shape).astype("float32") for _ in range(copies)]


def random_values(
    shape: tuple[int, ...], are_bytes: bool, generator: np.random.Generator
) -> np.ndarray:
    """Random bytes, or float32 numbers of a standard normal distribution."""
    if are_bytes:
        values = generator.integers(0, 256, _BLOCK, np.uint8)
    else:
        values = generator.standard_normal(_BLOCK, dtype=np.float32)
    return np.resize(values, shape)


def serving(key: OpKey) -> ServingGraph:
    """The graph around a network, for the row `serving` of a latency table.

    In place of the network, it has a 1×1 convolution of stride 8 and the upsampling by 8 that ends
    every network of the space.
    """
    images = keras.Input((key.height, key.width, 3), batch_size=1)
    logits = keras.layers.Conv2D(key.out_filters, 1, strides=8)(images)
    logits = _Enlarged((key.height, key.width))(logits)
    return ServingGraph(keras.Model(images, logits), mean=IMAGENET_MEAN, std=IMAGENET_STD)


class _Enlarged(keras.layers.Layer):
    """Resizes bilinearly to a fixed size."""

    def __init__(self, size: tuple[int, int]):
        super().__init__()
        self.size = size

    def call(self, images):
        return resize_bilinear(images, self.size)
