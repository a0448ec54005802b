"""Supernet of the joint space."""

from typing import Any

import keras

from keras_fasterseg.spaces.joint.block_stack import BlockStack
from keras_fasterseg.spaces.joint.choices import Choices, operations, stages
from keras_fasterseg.spaces.joint.downsampler import Downsampler
from keras_fasterseg.spaces.joint.settings import JointSettings


class JointSupernet(keras.Model):
    """Downsamplers to 1/4, early blocks, a downsampler to 1/8, late blocks and a classifier.

    Args:
        settings: Settings of the space.
        num_classes: Number of classes.
        seed: Seed of the dropout.

    Call arguments:
        images: `(batch, height, width, 3)`, normalised; sides are multiples of 32.
        choices: `Choices`.
        training: Whether batch statistics and dropout are used.

    Output shape:
        Logits `(batch, height / 8, width / 8, num_classes)`, float32.

    Reference:
        Ye et al., IJCV 2022 (https://arxiv.org/abs/2208.05271).
    """

    def __init__(
        self, settings: JointSettings, num_classes: int, seed: int | None = None, **kwargs
    ):
        # Layers cast their inputs themselves; half precision would round probabilities.
        super().__init__(autocast=False, **kwargs)
        self.settings = settings
        self.num_classes = num_classes
        self.seed = seed
        self.downsamplers = [
            Downsampler(filters, dtype=self.dtype_policy, name=name)
            for name, filters in zip(
                ("stem", "early_downsampler", "late_downsampler"), self._filters, strict=True
            )
        ]
        self.blocks = [
            BlockStack(
                blocks,
                filters,
                settings.widths(filters),
                operations(settings),
                dropout,
                None if seed is None else seed + index,
                dtype=self.dtype_policy,
                name=name,
            )
            for index, (name, blocks, filters, dropout) in enumerate(
                (
                    (
                        "early",
                        settings.early_blocks,
                        settings.early_filters,
                        settings.early_dropout,
                    ),
                    ("late", settings.late_blocks, settings.late_filters, settings.late_dropout),
                )
            )
        ]
        self.classifier = keras.layers.Conv2D(
            num_classes, 1, kernel_initializer="he_normal", dtype="float32", name="classifier"
        )

    @property
    def _filters(self) -> tuple[int, int, int]:
        settings = self.settings
        return settings.stem_filters, settings.early_filters, settings.late_filters

    def build(self, images_shape=(None, None, None, 3)):
        stem, early, late = self._filters
        for layer, channels in zip(
            (*self.downsamplers, *self.blocks, self.classifier),
            (3, stem, early, early, late, late),
            strict=True,
        ):
            layer.build((None, None, None, channels))
        self.built = True

    def call(self, images: Any, choices: Choices, training: bool = False) -> Any:
        return self.classifier(self.encoder(images, choices, training)[-1])

    def encoder(self, images: Any, choices: Choices, training: bool = False) -> tuple[Any, Any]:
        """Features after the early and after the late blocks, at 1/4 and 1/8."""
        first, second, third = self.downsamplers
        early, late = stages(self.settings, choices)
        features = second(first(images, training=training), training=training)
        features = self.blocks[0](features, early, training=training)
        coarse = third(features, training=training)
        return features, self.blocks[1](coarse, late, training=training)
