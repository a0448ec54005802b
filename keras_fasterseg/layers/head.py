"""Head: converts features to class logits."""

import keras

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.dropout import dropout
from keras_fasterseg.layers.random_state import SavesRandomState


def head_filters(channels: int) -> int:
    """Filters between a head's two convolutions: `channels` up to 256, else half of them."""
    return channels if channels <= 256 else channels // 2


@keras.saving.register_keras_serializable(package="keras_fasterseg")
class Head(SavesRandomState, keras.layers.Layer):
    """3x3 conv-bn-relu, then a 1x1 convolution with bias to the classes.

    Args:
        num_classes: Number of classes.
        hidden: Whether the 3x3 conv-bn-relu comes first.
        dropout: Share of the classifier's inputs that training sets to zero.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        training, settings: As in `ConvBatchNorm`.

    Output shape:
        Logits `(batch, height, width, num_classes)`, float32 even under mixed precision.
    """

    def __init__(self, num_classes: int, hidden: bool = True, dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        if num_classes < 1:
            raise ValueError(f"`num_classes` must be positive. Received: {num_classes}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be at least 0 and below 1. Received: {dropout}")
        self.num_classes = num_classes
        self.hidden = hidden
        self.dropout = dropout
        self.random = keras.random.SeedGenerator() if dropout else None

    def build(self, input_shape):
        if self.hidden:
            filters = head_filters(input_shape[-1])
            self.convolution = ConvBatchNorm(
                filters, 3, dtype=self.dtype_policy, name="convolution"
            )
            self.convolution.build(input_shape)
            input_shape = self.convolution.compute_output_shape(input_shape)
        self.classifier = keras.layers.Conv2D(
            self.num_classes,
            1,
            kernel_initializer="he_normal",
            dtype="float32",
            name="classifier",
        )
        self.classifier.build(input_shape)

    def call(self, inputs, training: bool | None = None, settings: int = 1):
        if self.hidden:
            inputs = self.convolution(inputs, training=training, settings=settings)
        if training and self.dropout:
            inputs = dropout(inputs, self.dropout, self.random, settings)
        return self.classifier(inputs)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_classes)

    def compute_output_spec(self, inputs, training=None, settings: int = 1):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        config = {"num_classes": self.num_classes, "hidden": self.hidden, "dropout": self.dropout}
        return {**super().get_config(), **config}
