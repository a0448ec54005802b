"""A network with its preprocessing, for users who only want to segment images."""

import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.data.source import IGNORE_LABEL
from keras_fasterseg.files import PathLike
from keras_fasterseg.image_normalization import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    check_normalization,
    normalize_images,
)
from keras_fasterseg.layers.padding import crop_to_size, pad_to_multiple
from keras_fasterseg.losses import OhemCrossEntropy
from keras_fasterseg.metrics import MeanIoU
from keras_fasterseg.run.trained_networks import load_network
from keras_fasterseg.runtimes.signature import MINIMUM_SIZE
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.spaces.registry import (
    genotype_from_json,
    preset_names,
    resolve_genotype,
    space_of,
)

Tensor = Any  # a tensor of the backend that Keras runs on

# Class ids are uint8; the largest value means "no label".
_MAXIMUM_CLASSES = IGNORE_LABEL


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class Segmenter(keras.Model):
    """Labels every pixel of raw images; trains, saves and loads like any Keras model.

    Normalises images and pads them at the bottom and right with the mean colour to multiples of 32.
    Then runs the network of a genotype and crops the logits to the original size. Initial weights
    are random: no trained weights can be downloaded. `from_network` loads the weights of a training
    run, or those of the released PyTorch code after `tools.convert_reference`.

    It trains only the deployed network. The published accuracy needs the auxiliary heads and the
    teacher of `tools.train`.

    Args:
        genotype: The genotype to build, a `Genotype` or its JSON object.
        num_classes: Number of classes, at most 255.
        class_names: A name for every class, in the order of the logits, or `None`.
        mean: Mean of the three channels, for images scaled to [0, 1].
        std: Standard deviation of the three channels, for images scaled to [0, 1].
        **kwargs: `name`, `trainable` and `dtype` as for any Keras layer; `dtype="mixed_float16"`
            computes in half precision.

    Call arguments:
        images: RGB images, integers or floats in [0, 255] (not scaled to [0, 1]).

    Input shape:
        `(batch, height, width, 3)`, height and width at least 32.

    Output shape:
        Logits `(batch, height, width, num_classes)`, float32.

    Raises:
        ValueError: An argument is out of its range; when called, the images are smaller than
            32 x 32 or have another shape.

    Reference:
        FasterSeg (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        genotype: Genotype | dict,
        num_classes: int,
        class_names: Sequence[str] | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        **kwargs,
    ) -> None:
        if isinstance(genotype, dict):
            genotype = genotype_from_json(genotype)
        _check_classes(num_classes, class_names)
        mean_array, std_array = check_normalization(mean, std)
        policy = keras.dtype_policies.get(kwargs.pop("dtype", None))
        # With autocast, images would be rounded to half precision before they are normalised.
        super().__init__(dtype=policy, autocast=False, **kwargs)
        self.network = space_of(genotype).build(
            genotype, num_classes, mean=mean, std=std, dtype=policy, name="network"
        )
        self.genotype = genotype
        self.num_classes = int(num_classes)
        self.class_names = None if class_names is None else tuple(class_names)
        self.mean = tuple(float(value) for value in mean)
        self.std = tuple(float(value) for value in std)
        self._mean_array, self._std_array = mean_array, std_array
        self._avoid_xla_by_default()
        self.build((None, None, None, 3))

    # === Ways to make one ===

    @staticmethod
    def presets() -> tuple[str, ...]:
        """Returns the sorted names of the presets that `from_preset` accepts."""
        return preset_names()

    @classmethod
    def from_preset(cls, preset: PathLike, num_classes: int = 19, **kwargs) -> "Segmenter":
        """Builds a published architecture or the genotype in a file, with random weights.

        Args:
            preset: One of `presets()`, or the path of a genotype's JSON file, such as a search
                writes.
            num_classes: Number of classes.
            **kwargs: Further arguments of `Segmenter`.

        Raises:
            ValueError: `preset` is neither, or the file contains no valid genotype.
        """
        name = str(preset)
        if name not in preset_names() and not pathlib.Path(name).is_file():
            raise ValueError(
                f"{name!r} is neither a preset nor the file of a genotype. Choose one of "
                f"{', '.join(preset_names())}, or give the path of a genotype's JSON file."
            )
        return cls(resolve_genotype(name), num_classes, **kwargs)

    @classmethod
    def from_network(cls, network: SegmentationNetwork | PathLike, **kwargs) -> "Segmenter":
        """Builds a segmenter with the weights of a trained network, without its auxiliary heads.

        Args:
            network: A derived network, or the path of a `network.keras` written by a training run.
            **kwargs: `class_names`, `name`, `trainable`, `mean`, `std` and `dtype` of `Segmenter`.
                `mean`, `std` and `dtype` default to the network's.

        Raises:
            FileNotFoundError: The file does not exist.
            ValueError: The file contains something else.
        """
        if not isinstance(network, SegmentationNetwork):
            network = load_network(pathlib.Path(network))
        config = network.get_config()
        kwargs = {**{name: config[name] for name in ("mean", "std", "dtype")}, **kwargs}
        segmenter = cls(network.genotype, network.num_classes, **kwargs)
        for layer in segmenter.network.layers:
            layer.set_weights(network.get_layer(layer.name).get_weights())
        return segmenter

    # === Model ===

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # The network already has its weights; Keras records the shape for its export.
        self.built = True

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        _check_images(tuple(images.shape))
        _, height, width, _ = ops.shape(images)
        normalized = normalize_images(images, self._mean_array, self._std_array)
        logits = self.network(pad_to_multiple(normalized), training=training)
        return crop_to_size(ops.cast(logits, "float32"), height, width)

    def compute_output_spec(self, images: Any, training: bool | None = None) -> keras.KerasTensor:
        _check_images(tuple(images.shape))
        return keras.KerasTensor((*images.shape[:3], self.num_classes), "float32")

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = "auto",
        *,
        metrics: Any = "auto",
        jit_compile: bool | str = "auto",
        **kwargs,
    ) -> None:
        """Configures training and evaluation, like `keras.Model.compile`.

        Args:
            optimizer: A Keras optimizer; "auto" is the paper's SGD with learning rate .01 and
                momentum .9.
            loss: A loss on logits; "auto" is `OhemCrossEntropy`, which ignores label 255.
            metrics: Metrics on logits; "auto" is `MeanIoU`, `None` means no metrics.
            jit_compile: Whether to compile with XLA; "auto" is Keras' default, but off on
                TensorFlow.
            **kwargs: Further arguments of `keras.Model.compile`.
        """
        if optimizer == "auto":
            optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        if loss == "auto":
            loss = OhemCrossEntropy(ignore_label=IGNORE_LABEL)
        if metrics == "auto":
            metrics = [MeanIoU(self.num_classes, IGNORE_LABEL)]
        super().compile(optimizer, loss, metrics=metrics, jit_compile=jit_compile, **kwargs)
        if jit_compile == "auto":
            self._avoid_xla_by_default()

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    # === Use ===

    def segment(self, images: np.ndarray, batch_size: int = 4) -> np.ndarray:
        """Returns the most probable class of every pixel.

        Works batch by batch. The logits of one batch need `batch_size * height * width *
        num_classes * 4` bytes.

        Args:
            images: Array of shape `(count, height, width, 3)`, as for a call.
            batch_size: Images per batch.

        Returns:
            uint8 array of shape `(count, height, width)`.

        Raises:
            ValueError: `images` has another shape or is too small, or `batch_size` is below 1.
        """
        images = np.asarray(images)
        _check_images(images.shape)
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
        class_ids = np.empty(images.shape[:3], np.uint8)
        for start in range(0, len(images), batch_size):
            batch = slice(start, start + batch_size)
            class_ids[batch] = np.argmax(self.predict_on_batch(images[batch]), axis=-1)
        return class_ids

    def _avoid_xla_by_default(self) -> None:
        # XLA compiles again for every image size. On TensorFlow, which can do without it, that is
        # slow: the published student took 6 s per size on two CPU cores, then ran at half the
        # speed.
        if keras.backend.backend() == "tensorflow":
            self.jit_compile = False

    # === Config ===

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "genotype": self.genotype.to_json(),
            "num_classes": self.num_classes,
            "class_names": self.class_names,
            "mean": self.mean,
            "std": self.std,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Segmenter":
        return cls(**config)


def _check_classes(num_classes: int, class_names: Sequence[str] | None) -> None:
    if not 1 <= num_classes <= _MAXIMUM_CLASSES:
        raise ValueError(
            f"`num_classes` must be from 1 to {_MAXIMUM_CLASSES}: class ids are uint8 and "
            f"{IGNORE_LABEL} means void. Received: num_classes={num_classes}"
        )
    if class_names is not None and (
        isinstance(class_names, str) or len(class_names) != num_classes
    ):
        raise ValueError(
            "`class_names` must be a sequence with one name for every class. "
            f"Received: class_names={class_names!r} for num_classes={num_classes}"
        )


def _check_images(shape: tuple[int | None, ...]) -> None:
    if len(shape) != 4 or shape[-1] not in (3, None):
        raise ValueError(
            "`images` must have shape (batch, height, width, 3); add a batch axis to a single "
            f"image. Received: images.shape={shape}"
        )
    if any(side is not None and side < MINIMUM_SIZE for side in shape[1:3]):
        raise ValueError(
            f"Height and width of the images must be at least {MINIMUM_SIZE}; enlarge the images. "
            f"Received: images.shape={shape}"
        )
