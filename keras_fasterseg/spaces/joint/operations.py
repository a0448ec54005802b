"""Registers the operations of the joint space in latency tables."""

from collections.abc import Mapping

import keras

from keras_fasterseg.latency.interpolation import grid_neighbours
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Operation, register_operations
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.spaces.joint.downsampler import Downsampler
from keras_fasterseg.spaces.joint.factorized_block import FactorizedBlock
from keras_fasterseg.spaces.joint.pyramid_pooling import PyramidPooling


def _block(key: OpKey) -> FactorizedBlock:
    values = dict(key.attributes)
    pooled = bool(values["pooled"])
    return FactorizedBlock(key.out_filters, values["middle"], values["dilation"], pooled)


def _between_widths(key: OpKey) -> Mapping[OpKey, float]:
    return grid_neighbours(key, attributes=("middle",))


def _between_inputs(key: OpKey) -> Mapping[OpKey, float]:
    return grid_neighbours(key, fields=("in_filters",))


def _downsampler_neighbours(key: OpKey) -> Mapping[OpKey, float]:
    neighbours = _between_inputs(key)
    # A downsampler has more filters than its input. At the end of the range it is measured itself.
    possible = all(each.in_filters < key.out_filters for each in neighbours)
    return neighbours if possible else {key: 1.0}


register_operations(
    {
        "joint_downsampler": Operation(
            lambda key: Downsampler(key.out_filters), (2,), neighbours=_downsampler_neighbours
        ),
        "joint_block": Operation(
            _block, (1,), ("dilation", "middle", "pooled"), neighbours=_between_widths
        ),
        "joint_average_pool": Operation(lambda key: keras.layers.AveragePooling2D(2), (2,)),
        "joint_low_level": Operation(
            lambda key: ConvBatchNorm(key.out_filters, 3, 2), (2,), neighbours=_between_inputs
        ),
        "joint_pyramid": Operation(
            lambda key: PyramidPooling(key.out_filters), (1,), neighbours=_between_inputs
        ),
        "joint_classifier": Operation(lambda key: Head(key.out_filters, hidden=False), (1,)),
    }
)
