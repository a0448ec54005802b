"""Registers the operations of the joint space in latency tables."""

import keras

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


register_operations(
    {
        "joint_downsampler": Operation(lambda key: Downsampler(key.out_filters), (2,)),
        "joint_block": Operation(_block, (1,), ("dilation", "middle", "pooled")),
        "joint_average_pool": Operation(lambda key: keras.layers.AveragePooling2D(2), (2,)),
        "joint_low_level": Operation(lambda key: ConvBatchNorm(key.out_filters, 3, 2), (2,)),
        "joint_pyramid": Operation(lambda key: PyramidPooling(key.out_filters), (1,)),
        "joint_classifier": Operation(lambda key: Head(key.out_filters, hidden=False), (1,)),
    }
)
