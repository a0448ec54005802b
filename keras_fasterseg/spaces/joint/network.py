"""Network built from a joint genotype."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.resize import Resize
from keras_fasterseg.spaces.joint.downsampler import Downsampler
from keras_fasterseg.spaces.joint.factorized_block import FactorizedBlock
from keras_fasterseg.spaces.joint.genotype import JointBlock, JointGenotype
from keras_fasterseg.spaces.joint.pyramid_pooling import PyramidPooling
from keras_fasterseg.spaces.joint.settings import EARLY_DROPOUT, LATE_DROPOUT
from keras_fasterseg.spaces.network import SegmentationNetwork


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class JointNetwork(SegmentationNetwork):
    """Derived network of the joint space; arguments as in `SegmentationNetwork`.

    Downsamplers to 1/2 (`stem`) and 1/4, early blocks, a downsampler to 1/8, late blocks. Pyramid
    pooling of the late blocks is joined with a 3x3 conv-bn-relu of stride 2 over the early blocks
    and the average-pooled stem. A 1x1 conv-bn-relu fuses both, a 1x1 convolution predicts logits,
    and a bilinear resize (aligned corners) brings them to full size. The auxiliary head is a 1x1
    convolution on the last late block (not specified in the paper; our choice). The dropout
    rates of the blocks are always those of the paper.

    Reference:
        Ye et al., IJCV 2022 (https://arxiv.org/abs/2208.05271).
    """

    genotype: JointGenotype
    genotype_class = JointGenotype

    @classmethod
    def make_logits(cls, images, genotype: Any, num_classes, auxiliary_heads, dropout, dtype):
        early_filters, late_filters = genotype.early_filters, genotype.late_filters
        stem = Downsampler(genotype.stem_filters, dtype=dtype, name="stem")(images)

        early = Downsampler(early_filters, dtype=dtype, name="early_downsampler")(stem)
        early = _run_blocks(early, genotype.early, "early", EARLY_DROPOUT, dtype)

        late = Downsampler(late_filters, dtype=dtype, name="late_downsampler")(early)
        late = _run_blocks(late, genotype.late, "late", LATE_DROPOUT, dtype)

        pooled = keras.layers.AveragePooling2D(2, dtype=dtype, name="average_pool")(stem)
        fine = ops.concatenate([early, pooled], axis=-1)
        fine = ConvBatchNorm(early_filters, 3, 2, dtype=dtype, name="low_level")(fine)
        coarse = PyramidPooling(late_filters, dtype=dtype, name="pyramid")(late)
        joined = ops.concatenate([coarse, fine], axis=-1)
        fused = ConvBatchNorm(late_filters, 1, dtype=dtype, name="fusion")(joined)

        heads = {cls.prediction: ("classifier", fused)}
        if auxiliary_heads:
            heads["auxiliary"] = ("auxiliary", late)
        return {
            name: Resize(8, dtype="float32", name=f"upsample_{name}")(
                Head(num_classes, hidden=False, dropout=dropout, dtype=dtype, name=layer)(features)
            )
            for name, (layer, features) in heads.items()
        }


def _run_blocks(features, blocks: Sequence[JointBlock], stage: str, dropout: float, dtype):
    for index, block in enumerate(blocks):
        layer = FactorizedBlock(
            block.filters,
            block.middle,
            block.dilation,
            block.pooled,
            dropout,
            dtype=dtype,
            name=f"{stage}_{index}",
        )
        features = layer(features)
    return features
