"""Backend-neutral Keras layers: the building blocks of supernets and derived networks."""

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.gumbel_softmax import gumbel_softmax, straight_through_gate
from keras_fasterseg.layers.head import Head, head_filters
from keras_fasterseg.layers.layer_stack import LayerStack
from keras_fasterseg.layers.mixed_op import MixedOp
from keras_fasterseg.layers.primitives import ConvPrimitive, FactorizedReduce, make_primitive
from keras_fasterseg.layers.resize import Resize, ResizeLike, resize_bilinear
from keras_fasterseg.layers.slimmable_conv2d import SlimmableConv2D, Width
from keras_fasterseg.layers.stem import Stem, stem_filters
from keras_fasterseg.layers.switchable_batch_normalization import SwitchableBatchNormalization
from keras_fasterseg.layers.upsample_fusion import UpsampleFusion

__all__ = [
    "ConvBatchNorm",
    "ConvPrimitive",
    "FactorizedReduce",
    "Head",
    "LayerStack",
    "MixedOp",
    "Resize",
    "ResizeLike",
    "SlimmableConv2D",
    "Stem",
    "SwitchableBatchNormalization",
    "UpsampleFusion",
    "Width",
    "gumbel_softmax",
    "head_filters",
    "make_primitive",
    "resize_bilinear",
    "stem_filters",
    "straight_through_gate",
]
