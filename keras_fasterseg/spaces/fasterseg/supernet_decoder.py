"""The supernet's five predictions from the last layer's three scales."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_fasterseg.filters import node_filters
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.upsample_fusion import UpsampleFusion


class Predictions(NamedTuple):
    """Logits `(batch, height / 8, width / 8, classes)`, named after the scales they combine."""

    scale_8: Any
    scale_16: Any
    scale_32: Any
    scale_8_32: Any
    scale_16_32: Any


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class SupernetDecoder(keras.layers.Layer):
    """Brings features at 1/16 and 1/32 to 1/8; predicts from 8, 16, 32, 8 + 32 and 16 + 32.

    Args:
        num_classes: Number of classes.
        base_filters: The supernet's base filters F.
        width: Width multiplier of the heads.

    Call arguments:
        inputs: Features at 1/8, 1/16, 1/32 with 8, 16, 32 times `base_filters * width` channels.
        training: Whether batch statistics are used and the running ones updated.
        settings: Number of parts of the batch with separate statistics, as in `ConvBatchNorm`.

    Returns:
        `Predictions`.
    """

    def __init__(self, num_classes: int, base_filters: int, width: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.base_filters = base_filters
        self.width = width
        self.filters = tuple(node_filters(scale, base_filters, width) for scale in (8, 16, 32))
        eight, sixteen, _ = self.filters
        self.fusion_16 = UpsampleFusion(eight, dtype=self.dtype_policy, name="fusion_16")
        self.fusion_32_16 = UpsampleFusion(sixteen, dtype=self.dtype_policy, name="fusion_32_16")
        self.fusion_32_8 = UpsampleFusion(eight, dtype=self.dtype_policy, name="fusion_32_8")
        self.heads = [
            Head(num_classes, dtype=self.dtype_policy, name=f"head_{name.removeprefix('scale_')}")
            for name in Predictions._fields
        ]

    def build(self, input_shape):
        eight, sixteen, thirty_two = input_shape
        self.fusion_16.build([sixteen, eight])
        self.fusion_32_16.build([thirty_two, sixteen])
        self.fusion_32_8.build([sixteen, eight])
        single, double = eight, (*eight[:-1], 2 * eight[-1])
        for head, shape in zip(self.heads, [single] * 3 + [double] * 2, strict=True):
            head.build(shape)

    def call(self, inputs, training: bool | None = None, settings: int = 1) -> Predictions:
        eight, sixteen, thirty_two = inputs
        how = {"training": training, "settings": settings}
        from_16 = self.fusion_16([sixteen, eight], **how)
        from_32 = self.fusion_32_16([thirty_two, sixteen], **how)
        from_32 = self.fusion_32_8([from_32, eight], **how)
        features = (
            eight,
            from_16,
            from_32,
            ops.concatenate([eight, from_32], axis=-1),
            ops.concatenate([from_16, from_32], axis=-1),
        )
        predictions = [
            head(feature, **how) for head, feature in zip(self.heads, features, strict=True)
        ]
        return Predictions(*predictions)

    def get_config(self):
        config = {
            "num_classes": self.num_classes,
            "base_filters": self.base_filters,
            "width": self.width,
        }
        return {**super().get_config(), **config}
