"""The graph from image bytes to class ids, for evaluation, export and timing; a backend switch.

Only TensorFlow traces graphs of unknown sizes, and its argmax needs no correction of Keras's.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_fasterseg.image_normalization import check_normalization, normalize_images
from keras_fasterseg.layers.padding import SIZE_MULTIPLE, crop_to_size, pad_to_multiple
from keras_fasterseg.runtimes.signature import CLASS_IDS, LOGITS, MAXIMUM_CLASSES, MINIMUM_SIZE

Tensor = Any  # a tensor of Keras's backend


class ServingGraph:
    """A network with its pre- and postprocessing, so that deployment need not rebuild them.

    Images are scaled to [0, 1], normalised by `mean` and `std`, and padded below and to the right
    with the mean colour to multiples of 32. The network's result is cropped to the original size.

    Args:
        model: Maps normalised float32 images `(batch, height, width, 3)`, height and width
            multiples of 32, to logits `(batch, height, width, num_classes)`.
        mean: Mean of the three channels, of images scaled to [0, 1].
        std: Standard deviation of the three channels, of images scaled to [0, 1].
        num_classes: Required number of classes of the logits; None accepts any number.

    Raises:
        ValueError: `mean` or `std` are not three numbers in [0, 1], or a `std` is zero. While
            tracing: the model does not return such logits.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        num_classes: int | None = None,
    ) -> None:
        self.model = model
        self.num_classes = num_classes
        self._mean, self._std = check_normalization(mean, std)
        self.mean = [float(value) for value in mean]
        self.std = [float(value) for value in std]

    @property
    def precision(self) -> str:
        """Compute dtypes of the layers with weights, such as `float32`, joined by `+`."""
        return "+".join(sorted(_compute_dtypes(self.model)))

    def class_ids(self, images: Tensor) -> Tensor:
        """The most probable class of every pixel.

        Args:
            images: uint8 RGB tensor of shape `(batch, height, width, 3)`, both sizes at least 32.

        Returns:
            uint8 tensor of shape `(batch, height, width)`.

        Raises:
            ValueError: A size that is known while tracing is below 32, or the model's number of
                classes differs from `num_classes` or does not fit uint8.
            tf.errors.InvalidArgumentError: A size that TensorFlow learns only at run time is below
                32.
        """
        return self.outputs(images, (CLASS_IDS,))[CLASS_IDS]

    def logits(self, images: Tensor) -> Tensor:
        """The logits behind `class_ids`, float32 of shape `(batch, height, width, classes)`."""
        return self.outputs(images, (LOGITS,))[LOGITS]

    def outputs(
        self, images: Tensor, names: Sequence[str] = (CLASS_IDS, LOGITS)
    ) -> dict[str, Tensor]:
        """Several outputs of one pass of the network, by name; see `class_ids` and `logits`."""
        logits = self._padded_logits(images)
        outputs = {}
        if CLASS_IDS in names:
            # Cropping ids instead of logits gives the same result and moves far fewer bytes.
            outputs[CLASS_IDS] = ops.cast(_crop_like(_argmax(logits), images), "uint8")
        if LOGITS in names:
            outputs[LOGITS] = _crop_like(logits, images)
        return outputs

    def _padded_logits(self, images: Tensor) -> Tensor:
        _check_size(images)
        normalised = normalize_images(images, self._mean, self._std)
        logits = self.model(pad_to_multiple(normalised, SIZE_MULTIPLE), training=False)
        if not ops.is_tensor(logits):
            raise ValueError(
                f"The model must return one tensor of logits. Received: {type(logits).__name__}; "
                "pass the network without its auxiliary heads."
            )
        self._check_classes(logits.shape[-1])
        return ops.cast(logits, "float32")

    def _check_classes(self, received: Any) -> None:
        if self.num_classes is not None and received != self.num_classes:
            raise ValueError(
                f"The model's logits must have num_classes={self.num_classes} channels. Received: "
                f"{received}; pass the number of classes that the model was built for."
            )
        if received > MAXIMUM_CLASSES:
            raise ValueError(
                f"Class ids are stored in uint8 and 255 means void, so a model may have at most "
                f"{MAXIMUM_CLASSES} classes. Received: {received}"
            )


def _compute_dtypes(model: keras.Model) -> set[str]:
    dtypes: set[str] = set()
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            dtypes |= _compute_dtypes(layer)
        elif layer.weights:
            dtypes.add(layer.compute_dtype)
    return dtypes


def _argmax(logits: Tensor) -> Tensor:
    """The channel with the largest logit, int32; of equal ones the first."""
    if keras.backend.backend() != "tensorflow":
        return ops.argmax(logits, axis=-1)
    import tensorflow as tf

    # Keras's own distinguishes 0.0 from -0.0, which takes longer.
    return tf.argmax(logits, axis=-1, output_type=tf.int32)


def _crop_like(maps: Tensor, images: Tensor) -> Tensor:
    """Crops `maps` to the size of `images`; adds no operation if the sizes already match."""
    if None not in images.shape[1:3] and tuple(maps.shape[1:3]) == tuple(images.shape[1:3]):
        return maps
    return crop_to_size(maps, *_size(images))


def _size(images: Tensor) -> tuple[Any, Any]:
    """Height and width, as ints if known while tracing, otherwise as scalar tensors."""
    if keras.backend.backend() != "tensorflow":
        return tuple(images.shape[1:3])
    import tensorflow as tf

    dynamic = tf.shape(images)
    return images.shape[1] or dynamic[1], images.shape[2] or dynamic[2]


def _check_size(images: Tensor) -> None:
    message = f"Height and width of the images must be at least {MINIMUM_SIZE}"
    known = [size for size in images.shape[1:3] if size is not None]
    if any(size < MINIMUM_SIZE for size in known):
        raise ValueError(f"{message}. Received: images of shape {tuple(images.shape)}")
    if len(known) < 2:
        import tensorflow as tf

        # Inside a tf.function, later operations depend on the assertion.
        tf.debugging.assert_greater_equal(
            tf.shape(images)[1:3], MINIMUM_SIZE, message=f"{message}; received height and width:"
        )
