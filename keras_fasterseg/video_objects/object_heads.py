"""Heads of objects: boxes from a centre heat map, masks in boxes, embeddings under masks."""

import math

import keras
from keras import ops

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.video_objects.regions import crop_regions, paste_regions

STRIDE = 4
FOREGROUND_STRIDE = 8
MASK_SIDE = 28
CROP_SIDE = MASK_SIDE // 2
MARGIN = 1.25
"""Side of the box that a mask is predicted in, as a multiple of the object's own. Our choice: a
predicted box may be a little off."""

# Twice the largest side of a network's image; larger sizes are errors, and could overflow.
_LARGEST_LOG = math.log(8192.0)


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class DecodeBoxes(keras.layers.Layer):
    """The likeliest objects of a centre heat map.

    An object is a cell that is the largest of the 3 x 3 around it.

    Args:
        objects: Number of objects that are returned, likely or not.

    Call arguments:
        inputs: `[centers, sizes]`: logits `(batch, rows, columns, 1)` and logarithms of height and
            width in pixels `(batch, rows, columns, 2)`.

    Output shape:
        Scores `(batch, objects)` in [0, 1], falling; boxes `(batch, objects, 4)`: top, left,
        bottom, right in pixels, `MARGIN` times as large as the objects.
    """

    def __init__(self, objects: int, **kwargs):
        super().__init__(**kwargs)
        self.objects = objects
        self.built = True

    def call(self, inputs):
        centers, sizes = inputs
        rows, columns = centers.shape[1:3]
        # Logits are compared: probabilities of certain centres round to 1, as their neighbours do.
        largest = ops.max_pool(centers, 3, strides=1, padding="same")
        peaks = ops.where(ops.equal(centers, largest), ops.sigmoid(centers), 0.0)
        scores, cells = ops.top_k(ops.reshape(peaks, (-1, rows * columns)), self.objects)
        # A product with one-hot rows: exports have no gather with batch dimensions.
        chosen = ops.one_hot(cells, rows * columns, dtype="float32")
        places = ops.cast(ops.stack([cells // columns, cells % columns], axis=-1), "float32")
        logarithms = ops.matmul(chosen, ops.reshape(sizes, (-1, rows * columns, 2)))
        sides = MARGIN * ops.exp(ops.clip(logarithms, 0.0, _LARGEST_LOG))
        middle = (places + 0.5) * STRIDE
        return scores, ops.concatenate([middle - sides / 2, middle + sides / 2], axis=-1)

    def compute_output_shape(self, input_shape):
        batch = input_shape[0][0]
        return (batch, self.objects), (batch, self.objects, 4)

    def get_config(self):
        return {**super().get_config(), "objects": self.objects}


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class MaskHead(keras.layers.Layer):
    """Logits of the mask of the object in the middle of each box.

    A 14 x 14 crop of the features and the place in the box, two 3x3 conv-bn-relu, a resize to
    28 x 28, a 3x3 conv-bn-relu, and a 1x1 convolution. Only the size of 28 is given; the layers
    are our choice.

    Args:
        filters: Filters of the first convolution; the next ones have a half and a quarter.

    Call arguments:
        inputs: `[features, boxes]`: `(batch, rows, columns, channels)` at a quarter of the image
            size, and `(batch, objects, 4)` in pixels.
        training: Whether batch statistics are used.

    Output shape:
        Float32 logits `(batch, objects, 28, 28)`.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.convolutions = [
            ConvBatchNorm(filters, 3, name="convolution_0"),
            ConvBatchNorm(filters // 2, 3, name="convolution_1"),
        ]
        self.refinement = ConvBatchNorm(filters // 4, 3, name="refinement")
        self.classifier = keras.layers.Conv2D(1, 1, dtype="float32", name="classifier")

    def build(self, input_shape):
        shape = (None, CROP_SIDE, CROP_SIDE, input_shape[0][-1] + 2)
        for convolution in self.convolutions:
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
        shape = (None, MASK_SIDE, MASK_SIDE, shape[-1])
        self.refinement.build(shape)
        self.classifier.build(self.refinement.compute_output_shape(shape))

    def call(self, inputs, training=None):
        features, boxes = inputs
        objects = boxes.shape[1]
        crops = crop_regions(features, boxes, CROP_SIDE, STRIDE)
        crops = ops.reshape(crops, (-1, CROP_SIDE, CROP_SIDE, features.shape[-1]))
        line = (ops.arange(CROP_SIDE, dtype="float32") + 0.5) / CROP_SIDE * 2 - 1
        place = ops.stack(ops.meshgrid(line, line, indexing="ij"), axis=-1)
        # Zeros of the crops give the place their open batch size.
        place = place + 0 * crops[..., :2]
        results = ops.concatenate([crops, place], axis=-1)
        for convolution in self.convolutions:
            results = convolution(results, training=training)
        results = resize_bilinear(results, (MASK_SIDE, MASK_SIDE))
        results = self.classifier(self.refinement(results, training=training))
        return ops.reshape(results, (-1, objects, MASK_SIDE, MASK_SIDE))

    def compute_output_shape(self, input_shape):
        batch, objects, _ = input_shape[1]
        return (batch, objects, MASK_SIDE, MASK_SIDE)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class MaskedEmbedding(keras.layers.Layer):
    """L2-normalised mean of an embedding map under each mask.

    Any mask has an embedding, also one that a user gives; that of an empty one is zero. Our choice.

    Call arguments:
        inputs: `[map, masks, boxes]`: `(batch, rows, columns, channels)` at a quarter of the image
            size, probabilities `(batch, objects, 28, 28)` and their boxes `(batch, objects, 4)`.

    Output shape:
        `(batch, objects, channels)`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def call(self, inputs):
        embedding_map, masks, boxes = inputs
        _, rows, columns, channels = embedding_map.shape
        weights = paste_regions(masks, boxes, (rows, columns), STRIDE)
        weights = ops.reshape(weights, (-1, boxes.shape[1], rows * columns))
        sums = ops.matmul(weights, ops.reshape(embedding_map, (-1, rows * columns, channels)))
        return ops.normalize(sums, axis=-1, epsilon=1e-6)

    def compute_output_shape(self, input_shape):
        embedding_map, masks, _ = input_shape
        return (*masks[:2], embedding_map[-1])
