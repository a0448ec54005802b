"""Base class of the derived networks of all search spaces."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras

from keras_fasterseg.classes import Classes
from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD, check_normalization
from keras_fasterseg.spaces.genotype import Genotype

Tensor = Any


class SegmentationNetwork(keras.Model):
    """Network built from a genotype: normalised images to full-size logits.

    Args:
        genotype: A genotype of the search space, or its JSON object.
        num_classes: Number of classes.
        auxiliary_heads: Whether to add the auxiliary heads used in training.
        input_size: Height and width of the images, multiples of 32; `None`: any size.
        mean: Mean of the three channels for normalising images scaled to [0, 1]. Metadata: exports
            read it, the graph does not use it.
        std: Standard deviation of the three channels. Metadata like `mean`.
        classes: Classes of the logits, `Classes` or their JSON object; `None` if unknown. Metadata
            like `mean`.
        trained_on: Training images, as a JSON object recorded by the training. Metadata like
            `mean`.
        dropout: Share of the features before each classifier that training sets to zero.

    Input shape:
        `(batch, height, width, 3)`, normalised; sides are multiples of 32.

    Output shape:
        Logits `(batch, height, width, num_classes)`, float32. With auxiliary heads, a dictionary of
        such logits; `prediction` is the key of the deployed one.

    Subclasses build their graph in `make_logits`. When weights of a network with other classes are
    loaded, layers named `classifier`, as in `Head`, are initialised anew.
    """

    genotype_class: ClassVar[type[Genotype]]
    prediction: ClassVar[str] = "prediction"

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
        dropout: float = 0.0,
        **kwargs,
    ):
        if isinstance(genotype, dict):
            genotype = type(self).genotype_class.from_json(genotype)
        if isinstance(classes, dict):
            classes = Classes.from_json(classes)
        if classes is not None and len(classes.names) != num_classes:
            raise ValueError(
                "`classes` must have one name per class. "
                f"Received: {len(classes.names)} names for num_classes={num_classes}"
            )
        if input_size is not None and any(side % 32 for side in input_size):
            raise ValueError(
                "Both sides of `input_size` must be multiples of 32. "
                f"Received: input_size={tuple(input_size)}"
            )
        check_normalization(mean, std)
        dtype = kwargs.pop("dtype", None)

        # === Functional model ===
        images = keras.Input((*(input_size or (None, None)), 3), name="images")
        logits = dict(
            type(self).make_logits(images, genotype, num_classes, auxiliary_heads, dropout, dtype)
        )
        outputs = logits if auxiliary_heads else logits[type(self).prediction]
        super().__init__(inputs=images, outputs=outputs, **kwargs)

        # === Config ===
        self.genotype = genotype
        self.num_classes = num_classes
        self.auxiliary_heads = auxiliary_heads
        self.input_size = None if input_size is None else tuple(input_size)
        self.mean = tuple(float(value) for value in mean)
        self.std = tuple(float(value) for value in std)
        self.classes = classes
        self.trained_on = trained_on
        self.dropout = dropout
        self._layer_dtype = dtype

    @classmethod
    @abc.abstractmethod
    def make_logits(
        cls,
        images: Tensor,
        genotype: Genotype,
        num_classes: int,
        auxiliary_heads: bool,
        dropout: float,
        dtype: Any,
    ) -> Mapping[str, Tensor]:
        """Full-size float32 logits by name: `prediction`, and auxiliary heads if requested."""

    def without_auxiliary_heads(self) -> keras.Model:
        """Returns the deployed network without auxiliary heads; it shares the weights."""
        if not self.auxiliary_heads:
            return self
        return keras.Model(self.input, self.output[self.prediction], name=self.name)

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
            "dropout": self.dropout,
            "dtype": keras.saving.serialize_keras_object(self._layer_dtype)
            if isinstance(self._layer_dtype, keras.DTypePolicy)
            else self._layer_dtype,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None) -> Self:
        config = dict(config)
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = keras.saving.deserialize_keras_object(config["dtype"])
        return cls(**config)
