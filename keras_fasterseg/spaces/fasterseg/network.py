"""The network that a genotype describes."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fasterseg.classes import Classes
from keras_fasterseg.genotype import Genotype
from keras_fasterseg.image_normalization import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    check_normalization,
)
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.primitives import make_primitive
from keras_fasterseg.layers.resize import Resize
from keras_fasterseg.layers.stem import Stem
from keras_fasterseg.layers.upsample_fusion import UpsampleFusion
from keras_fasterseg.spaces.fasterseg.plan import FeaturePlan, NetworkPlan, plan_network


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class FasterSegNetwork(keras.Model):
    """A derived multi-resolution segmentation network.

    Its branches share their first cells; a decoder brings each to 1/8, where a 1x1 conv-bn-relu
    joins them, a head predicts and a bilinear resize (aligned corners) leads to full size.

    Args:
        genotype: What to build, a `Genotype` or its JSON object.
        num_classes: Number of classes.
        auxiliary_heads: Whether to predict from 1/16 and 1/32 too, as training needs it.
        input_size: Height and width of the images, multiples of 32; `None` leaves them open.
        mean: Mean of the three channels that its images are normalised by, of images scaled to
            [0, 1]. Nothing here computes with it: it is what a training tells an export.
        std: Standard deviation of the three channels, likewise.
        classes: What the logits stand for, `Classes` or their JSON object; `None` if it is not
            known. Recorded likewise.
        trained_on: The images that it was trained on, a JSON object of the training's; likewise.

    Input shape:
        `(batch, height, width, 3)`, normalised; sides are multiples of 32.

    Output shape:
        Logits `(batch, height, width, num_classes)`, float32; with auxiliary heads a dictionary of
        these: `scale_8` (the prediction), `scale_16` and, if a branch ends there, `scale_32`.

    Reference:
        FasterSeg, section 3.4 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        genotype: Genotype | dict,
        num_classes: int = 19,
        auxiliary_heads: bool = False,
        input_size: tuple[int, int] | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        classes: Classes | dict | None = None,
        trained_on: dict[str, Any] | None = None,
        **kwargs,
    ):
        if isinstance(genotype, dict):
            genotype = Genotype.from_json(genotype)
        if isinstance(classes, dict):
            classes = Classes.from_json(classes)
        if classes is not None and len(classes.names) != num_classes:
            raise ValueError(
                "`classes` must name every class. "
                f"Received: {len(classes.names)} names for num_classes={num_classes}"
            )
        height, width = (None, None) if input_size is None else input_size
        if input_size is not None and any(side % 32 for side in input_size):
            raise ValueError(
                f"`input_size` must be multiples of 32. Received: input_size={tuple(input_size)}"
            )
        check_normalization(mean, std)

        # === Layers ===
        dtype = kwargs.pop("dtype", None)
        plan = plan_network(genotype)
        layers = _make_layers(genotype, plan, num_classes, auxiliary_heads, dtype)

        # === Functional model ===
        images = keras.Input((height, width, 3), name="images")
        results = {plan.stem.layer: layers[plan.stem.layer](images)}
        for cell in plan.cells:
            results[cell.name] = layers[cell.name](results[cell.source.layer])
        for steps in plan.joins:
            for join in steps:
                pair = [results[join.coarse.layer], results[join.fine.layer]]
                results[join.name] = layers[join.name](pair)
        fused = layers["fusion"](_concatenate(results, plan.outputs))
        outputs = layers["upsample_8"](layers["head"](fused))
        if auxiliary_heads:
            outputs = {"scale_8": outputs}
            for scale, features in plan.auxiliary.items():
                logits = layers[f"auxiliary_head_{scale}"](_concatenate(results, features))
                outputs[f"scale_{scale}"] = layers[f"upsample_{scale}"](logits)
        super().__init__(inputs=images, outputs=outputs, **kwargs)

        # === Config ===
        self.genotype = genotype
        self.plan = plan
        self.num_classes = num_classes
        self.auxiliary_heads = auxiliary_heads
        self.input_size = None if input_size is None else tuple(input_size)
        self.mean = tuple(float(value) for value in mean)
        self.std = tuple(float(value) for value in std)
        self.classes = classes
        self.trained_on = trained_on
        self._layer_dtype = dtype

    def without_auxiliary_heads(self) -> keras.Model:
        """The network as it is deployed, sharing this one's weights."""
        if not self.auxiliary_heads:
            return self
        return keras.Model(self.input, self.get_layer("upsample_8").output, name=self.name)

    def get_config(self):
        return {
            "name": self.name,
            "trainable": self.trainable,
            "genotype": self.genotype.to_json(),
            "num_classes": self.num_classes,
            "auxiliary_heads": self.auxiliary_heads,
            "input_size": self.input_size,
            "mean": self.mean,
            "std": self.std,
            "classes": None if self.classes is None else self.classes.to_json(),
            "trained_on": self.trained_on,
            "dtype": keras.saving.serialize_keras_object(self._layer_dtype)
            if isinstance(self._layer_dtype, keras.DTypePolicy)
            else self._layer_dtype,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = keras.saving.deserialize_keras_object(config["dtype"])
        return cls(**config)


def _make_layers(
    genotype: Genotype, plan: NetworkPlan, num_classes: int, auxiliary_heads: bool, dtype
) -> dict[str, keras.layers.Layer]:
    stem = Stem(genotype.base_filters, genotype.stem_width, dtype=dtype, name=plan.stem.layer)
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
        Head(num_classes, dtype=dtype, name="head"),
        Resize(8, dtype="float32", name="upsample_8"),
    ]
    if auxiliary_heads:
        for scale in plan.auxiliary:
            layers += [
                Head(num_classes, dtype=dtype, name=f"auxiliary_head_{scale}"),
                Resize(scale, dtype="float32", name=f"upsample_{scale}"),
            ]
    return {layer.name: layer for layer in layers}


def _concatenate(results: dict, features: tuple[FeaturePlan, ...]):
    tensors = [results[feature.layer] for feature in features]
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=-1)
