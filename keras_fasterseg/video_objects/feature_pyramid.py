"""Joins the levels of an encoder to one map at a quarter of the image size."""

from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.resize import ResizeLike
from keras_fasterseg.video_objects.encoder import FINER, STRIDES
from keras_fasterseg.video_objects.mask_guided_attention import MaskGuidedAttention

Tensor = Any


def feature_pyramid(
    levels: dict[int, Tensor], filters: int, attention: bool
) -> tuple[Tensor, Tensor]:
    """Adds the levels top-down, each strengthened by attention to a coarse mask of all objects.

    A 1x1 conv-bn-relu brings every level to `filters` channels; a level that the encoder lacks is
    a 3x3 conv-bn-relu of stride 2 over the next finer one. A 3x3 conv-bn-relu and a 1x1
    convolution on the two coarser levels predict the coarse mask at 1/8. Except for the number of
    channels and the attention's formula, our choices.

    Args:
        levels: Features by stride, at least that of 4 or of 2.
        filters: Channels of the pyramid.
        attention: Whether levels are strengthened; without it they are only added.

    Returns:
        Features `(batch, height / 4, width / 4, filters)` and logits of the coarse mask
        `(batch, height / 8, width / 8, 1)`.

    Raises:
        ValueError: There is no level at 1/4 or 1/2.
    """
    if not {FINER, STRIDES[0]} & {*levels}:
        raise ValueError(
            "The encoder needs features at 1/4 or 1/2. Received: strides "
            f"{', '.join(map(str, levels))}"
        )
    lateral: dict[int, Tensor] = {FINER: levels.get(FINER)}
    for stride in STRIDES:
        name = f"lateral_{stride}"
        if stride in levels:
            lateral[stride] = ConvBatchNorm(filters, 1, name=name)(levels[stride])
        else:
            lateral[stride] = ConvBatchNorm(filters, 3, 2, name=name)(lateral[stride // 2])

    middle, coarse = lateral[STRIDES[1]], lateral[STRIDES[2]]
    joined = ops.add(middle, ResizeLike(name="coarse_to_mask")([coarse, middle]))
    joined = ConvBatchNorm(filters, 3, name="mask_features")(joined)
    mask = keras.layers.Conv2D(1, 1, name="foreground", dtype="float32")(joined)
    probability = ops.sigmoid(mask)

    result = None
    for stride in reversed(STRIDES):
        level = lateral[stride]
        if attention:
            layer = MaskGuidedAttention(name=f"attention_{stride}")
            level = layer([level, probability])
        if result is not None:
            level = ops.add(level, ResizeLike(name=f"up_to_{stride}")([result, level]))
        result = level
    return ConvBatchNorm(filters, 3, name="pyramid")(result), mask
