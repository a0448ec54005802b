"""Network built from a FasterSeg genotype."""

from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.primitives import make_primitive
from keras_fasterseg.layers.resize import Resize
from keras_fasterseg.layers.stem import Stem
from keras_fasterseg.layers.upsample_fusion import UpsampleFusion
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.plan import FeaturePlan, NetworkPlan, plan_network
from keras_fasterseg.spaces.network import SegmentationNetwork


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class FasterSegNetwork(SegmentationNetwork):
    """Derived multi-resolution segmentation network; arguments as in `SegmentationNetwork`.

    Branches share their first cells. A decoder brings each branch to 1/8, where a 1x1 conv-bn-relu
    joins them. A head predicts logits, and a bilinear resize (aligned corners) brings them to full
    size. Auxiliary heads predict `scale_16` and `scale_32`, for scales that a branch reaches.

    Reference:
        FasterSeg, section 3.4 (https://arxiv.org/abs/1912.10917).
    """

    genotype: FasterSegGenotype
    genotype_class = FasterSegGenotype
    prediction = "scale_8"

    @property
    def plan(self) -> NetworkPlan:
        """Layer plan of the genotype."""
        return plan_network(self.genotype)

    @classmethod
    def make_logits(cls, images, genotype: Any, num_classes, auxiliary_heads, dropout, dtype):
        plan = plan_network(genotype)
        layers = _make_layers(genotype, plan, num_classes, auxiliary_heads, dropout, dtype)
        # Exports drop the features at 1/4, which other tasks read.
        _, stem = layers[plan.stem.layer](images)
        results = {plan.stem.layer: stem}
        for cell in plan.cells:
            results[cell.name] = layers[cell.name](results[cell.source.layer])
        for steps in plan.joins:
            for join in steps:
                pair = [results[join.coarse.layer], results[join.fine.layer]]
                results[join.name] = layers[join.name](pair)
        fused = layers["fusion"](_concatenate(results, plan.outputs))
        outputs = {cls.prediction: layers["upsample_8"](layers["head"](fused))}
        if auxiliary_heads:
            for scale, features in plan.auxiliary.items():
                logits = layers[f"auxiliary_head_{scale}"](_concatenate(results, features))
                outputs[f"scale_{scale}"] = layers[f"upsample_{scale}"](logits)
        return outputs


def _make_layers(
    genotype: FasterSegGenotype,
    plan: NetworkPlan,
    num_classes: int,
    auxiliary_heads: bool,
    dropout: float,
    dtype,
) -> dict[str, keras.layers.Layer]:
    stem = Stem(
        genotype.base_filters,
        genotype.stem_width,
        with_quarter=True,
        dtype=dtype,
        name=plan.stem.layer,
    )
    layers = [stem]
    layers += [
        make_primitive(
            cell.cell.primitive,
            cell.output.filters,
            cell.cell.stride,
            dtype=dtype,
            name=cell.name,
        )
        for cell in plan.cells
    ]
    layers += [
        UpsampleFusion(join.output.filters, dtype=dtype, name=join.name)
        for steps in plan.joins
        for join in steps
    ]
    fusion_filters = sum(feature.filters for feature in plan.outputs)
    layers += [
        ConvBatchNorm(fusion_filters, 1, dtype=dtype, name="fusion"),
        Head(num_classes, dropout=dropout, dtype=dtype, name="head"),
        Resize(8, dtype="float32", name="upsample_8"),
    ]
    if auxiliary_heads:
        for scale in plan.auxiliary:
            layers += [
                Head(num_classes, dropout=dropout, dtype=dtype, name=f"auxiliary_head_{scale}"),
                Resize(scale, dtype="float32", name=f"upsample_{scale}"),
            ]
    return {layer.name: layer for layer in layers}


def _concatenate(results: dict, features: tuple[FeaturePlan, ...]):
    tensors = [results[feature.layer] for feature in features]
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=-1)
