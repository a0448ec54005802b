"""Network of one-pass video object segmentation."""

from collections.abc import Sequence
from typing import Any, Self

import keras
from keras import ops

from keras_fasterseg.files import shown
from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD, check_normalization
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.registry import genotype_from_json
from keras_fasterseg.video_objects.encoder import encoder_network, make_encoder
from keras_fasterseg.video_objects.feature_pyramid import feature_pyramid
from keras_fasterseg.video_objects.object_heads import (
    STRIDE,
    DecodeBoxes,
    MaskedEmbedding,
    MaskHead,
)

Tensor = Any
Size = tuple[int, int]

LARGEST_SIDE = 4096
LARGEST_OBJECTS = 254
"""Ids of objects fit uint8, between background and void."""

EMBEDDING = 64
FILTERS = 64
# A heat map starts at a probability of one tenth everywhere, as in focal losses.
_CENTER_BIAS = -2.19


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class ObjectNetwork(keras.Model):
    """Finds, segments and describes all objects of a frame in one forward pass.

    Encoder, feature pyramid with mask-guided attention, and heads at 1/4: centre heat map, sizes,
    boundaries, an embedding map. The likeliest objects get a mask of 28 x 28 in their box and an
    embedding. "OVS-Net style": the paper is known by its abstract only. One pass for detection,
    segmentation and re-identification, attention and fusion of levels are from there; heads and
    numbers are our choices.

    Args:
        genotype: A genotype of any search space, or its JSON object: the encoder.
        input_size: Height and width of the images, multiples of 32, at most 4096.
        max_objects: Number of objects per frame that are returned, likely or not, at most 254.
        attention: Whether the pyramid uses mask-guided attention.
        mean: Mean of the three channels for normalising images scaled to [0, 1]. Metadata: exports
            read it, the graph does not use it.
        std: Standard deviation of the three channels. Metadata like `mean`.
        trained_on: Training images, as a JSON object recorded by the training. Metadata like
            `mean`.

    Input shape:
        `(batch, height, width, 3)`, normalised.

    Output shape:
        A dictionary of float32 tensors: `scores` `(batch, max_objects)`, falling; `boxes`
        `(batch, max_objects, 4)`: top, left, bottom, right in pixels; `masks`
        `(batch, max_objects, 28, 28)`, probabilities in the boxes; `embeddings`
        `(batch, max_objects, 64)`, of length 1; `embedding_map`
        `(batch, height / 4, width / 4, 64)`; `foreground` `(batch, height / 8, width / 8)`,
        probability of any object.

    Reference:
        OVS-Net (Sun et al., https://arxiv.org/abs/1905.10064).
    """

    def __init__(
        self,
        genotype: Genotype | dict,
        input_size: Size,
        max_objects: int = 10,
        attention: bool = True,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        trained_on: dict[str, Any] | None = None,
        **kwargs,
    ):
        if isinstance(genotype, dict):
            genotype = genotype_from_json(genotype)
        if not isinstance(genotype, Genotype):
            raise ValueError(f"`genotype` must be a genotype. Received: {shown(genotype)}")
        check_object_sizes(input_size, max_objects)
        check_normalization(mean, std)

        # === Layers ===
        encoder = make_encoder(encoder_network(genotype, input_size, mean, std))
        mask_head = MaskHead(FILTERS, name="mask_head")
        embedding = MaskedEmbedding(name="embedding")

        # === Functional model ===
        images = keras.Input((*input_size, 3), name="images")
        dense = _dense_outputs(images, encoder, attention)
        dense_model = keras.Model(images, dense, name="dense")
        dense = dense_model(images)
        decode = DecodeBoxes(max_objects, name="decode_boxes")
        scores, boxes = decode([dense["centers"], dense["sizes"]])
        masks = ops.sigmoid(mask_head([dense["features"], boxes]))
        outputs = {
            "scores": scores,
            "boxes": boxes,
            "masks": masks,
            "embeddings": embedding([dense["embedding_map"], masks, boxes]),
            "embedding_map": dense["embedding_map"],
            "foreground": ops.sigmoid(dense["foreground"])[..., 0],
        }
        super().__init__(inputs=images, outputs=outputs, **kwargs)

        # === Config ===
        self.genotype = genotype
        self.input_size = (int(input_size[0]), int(input_size[1]))
        self.max_objects = max_objects
        self.attention = attention
        self.mean = tuple(float(value) for value in mean)
        self.std = tuple(float(value) for value in std)
        self.trained_on = trained_on

    @property
    def encoder(self) -> keras.Model:
        """The encoder, with the layers of the segmentation network."""
        return self.get_layer("dense").get_layer("encoder")

    def described(
        self, images: Tensor, boxes: Tensor, training: bool | None = None
    ) -> dict[str, Tensor]:
        """Outputs for given boxes, as training needs them: logits instead of probabilities.

        Args:
            images: `(batch, height, width, 3)`, normalised.
            boxes: `(batch, objects, 4)`: top, left, bottom, right in pixels.
            training: Whether batch statistics are used.

        Returns:
            `centers` `(batch, height / 4, width / 4, 1)`, `sizes` `(…, 2)`, `boundaries` `(…, 1)`,
            `foreground` `(batch, height / 8, width / 8, 1)`, `masks`
            `(batch, objects, 28, 28)` and `embeddings` `(batch, objects, 64)`.
        """
        dense = dict(self.get_layer("dense")(images, training=training))
        features, embedding_map = dense.pop("features"), dense.pop("embedding_map")
        masks = self.get_layer("mask_head")([features, boxes], training=training)
        embeddings = self.get_layer("embedding")([embedding_map, ops.sigmoid(masks), boxes])
        return {**dense, "masks": masks, "embeddings": embeddings}

    def resized(self, input_size: Size) -> "ObjectNetwork":
        """A copy with the same weights for images of another size."""
        copy = type(self).from_config({**self.get_config(), "input_size": input_size})
        for target, weight in zip(copy.weights, self.weights, strict=True):
            target.assign(ops.copy(ops.convert_to_tensor(weight)))
        return copy

    def get_config(self):
        return {
            "name": self.name,
            "trainable": self.trainable,
            "genotype": self.genotype.to_json(),
            "input_size": self.input_size,
            "max_objects": self.max_objects,
            "attention": self.attention,
            "mean": self.mean,
            "std": self.std,
            "trained_on": self.trained_on,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None) -> Self:
        return cls(**config)


def check_object_sizes(input_size: Any, max_objects: Any) -> None:
    """Checks sizes that may come from a file, before anything is allocated.

    Raises:
        ValueError: A size is not an integer, or out of its range.
    """
    sides = [*input_size] if isinstance(input_size, list | tuple) else []
    if len(sides) != 2 or not all(
        type(side) is int and 32 <= side <= LARGEST_SIDE for side in sides
    ):
        raise ValueError(
            f"`input_size` must be height and width from 32 to {LARGEST_SIDE}. Received: "
            f"{shown(input_size)}"
        )
    most = min(LARGEST_OBJECTS, sides[0] // STRIDE * (sides[1] // STRIDE))
    if type(max_objects) is not int or not 1 <= max_objects <= most:
        raise ValueError(
            f"`max_objects` must be 1 to {most}. Received: max_objects={shown(max_objects)}"
        )


def _dense_outputs(images: Tensor, encoder: keras.Model, attention: bool) -> dict[str, Tensor]:
    levels = {int(name.removeprefix("stride_")): each for name, each in encoder(images).items()}
    features, foreground = feature_pyramid(levels, FILTERS, attention)
    tower = ConvBatchNorm(FILTERS, 3, name="detection")(features)
    tracked = ConvBatchNorm(FILTERS, 3, name="identity")(features)
    bias = keras.initializers.Constant(_CENTER_BIAS)

    def convolution(filters: int, name: str, inputs: Tensor, **options) -> Tensor:
        return keras.layers.Conv2D(filters, 1, dtype="float32", name=name, **options)(inputs)

    return {
        "features": features,
        "foreground": foreground,
        "centers": convolution(1, "centers", tower, bias_initializer=bias),
        "sizes": convolution(2, "sizes", tower),
        "boundaries": convolution(1, "boundaries", features),
        "embedding_map": convolution(EMBEDDING, "embedding_map", tracked),
    }
