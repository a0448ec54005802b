"""Layers before and after the cells of a network."""

from collections.abc import Mapping
from typing import Any

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.resize import Resize
from keras_fasterseg.spaces.cells.keys import STEM_STRIDES


def stem_layers(filters: int, dtype: Any) -> list[ConvBatchNorm]:
    """Three 3x3 convolutions, `stem_0` to `stem_2`, to 1/2 of the image size."""
    return [
        ConvBatchNorm(filters, 3, strides, dtype=dtype, name=f"stem_{index}")
        for index, strides in enumerate(STEM_STRIDES)
    ]


def full_size_logits(
    heads: Mapping[str, tuple[str, Any, int]], num_classes: int, dropout: float, dtype: Any
) -> dict[str, Any]:
    """Logits at the size of the images, `(batch, height, width, num_classes)`, in float32.

    Args:
        heads: By name of the logits: name of the classifier's layer, its input, and the input's
            scale (image size over feature size).
        num_classes: Number of classes.
        dropout: Share of channels that training drops before a classifier.
        dtype: Keras's dtype policy.
    """
    return {
        name: Resize(scale, dtype="float32", name=f"upsample_{name}")(
            Head(num_classes, hidden=False, dropout=dropout, dtype=dtype, name=layer)(features)
        )
        for name, (layer, features, scale) in heads.items()
    }
