"""Registers the primitives as operations of a latency table.

The row of `skip` at stride 1 is the 1x1 conv-bn-relu that a supernet runs instead. Derived networks
use the identity, which has no row.
"""

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Operation, register_operations
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.primitives import PRIMITIVES, make_primitive


def _layer(key: OpKey):
    if key.operation == "skip" and key.stride == 1:
        return ConvBatchNorm(key.out_filters, 1)
    return make_primitive(key.operation, key.out_filters, key.stride)


register_operations(dict.fromkeys(PRIMITIVES, Operation(_layer)))
