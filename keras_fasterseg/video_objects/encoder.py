"""Encoder of video object segmentation: the features of any network of this package."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_fasterseg.layers.head import Head
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.spaces.registry import space_of

STRIDES = (4, 8, 16)
FINER = 2
"""Stride that replaces 4 in networks that lack it: a convolution brings it to 4."""

Tensor = Any
Size = tuple[int, int]


def encoder_network(
    genotype: Genotype, input_size: Size, mean: Sequence[float], std: Sequence[float]
) -> SegmentationNetwork:
    """The segmentation network of a genotype for images of one size, with random weights."""
    # The classifier is not used; one class is the smallest.
    space = space_of(genotype)
    return space.build(genotype, 1, input_size=input_size, mean=mean, std=std)


def feature_levels(network: SegmentationNetwork) -> dict[int, Tensor]:
    """The last feature map of each stride in `STRIDES` before the classifiers, by stride.

    Not specified in the abstract of the paper; our choice. "Last" is nearest to the prediction, so
    a decoder's result precedes the cells before it. Strides that the network lacks are left out;
    if it lacks 4, the last feature map of stride 2 is added.

    Args:
        network: A network with a fixed `input_size` and without auxiliary heads.

    Raises:
        ValueError: The network has no `input_size`, or has auxiliary heads.
    """
    if network.auxiliary_heads:
        raise ValueError("An encoder has no auxiliary heads. Received: auxiliary_heads=True")
    if network.input_size is None:
        raise ValueError("The strides of a network need its `input_size`. Received: None")
    height, width = network.input_size
    levels = {}
    # The public list of operations has no depths. Of equal ones, it puts cells after a decoder.
    depths = network._nodes_by_depth
    for depth in sorted(depths, reverse=True):
        for node in depths[depth]:
            if isinstance(node.operation, Head):
                continue
            for output in node.outputs:
                if len(output.shape) != 4:
                    continue
                stride = height // output.shape[1]
                if (stride * output.shape[1], stride * output.shape[2]) == (height, width):
                    levels[stride] = output
    chosen = STRIDES if STRIDES[0] in levels else (FINER, *STRIDES)
    return {stride: levels[stride] for stride in chosen if stride in levels}


def make_encoder(network: SegmentationNetwork) -> keras.Model:
    """Model from normalised images to the feature levels of a network, by `stride_S`.

    It shares the layers of `network` and leaves out its classifiers.
    """
    levels = {f"stride_{stride}": each for stride, each in feature_levels(network).items()}
    return keras.Model(network.input, levels, name="encoder")
