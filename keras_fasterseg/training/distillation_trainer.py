"""Training of a derived network, alone or with a frozen teacher."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_fasterseg import replicas
from keras_fasterseg.losses.distillation import distillation_loss
from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.tensorflow_cpu import computes_on_tensorflow_cpu

Tensor = Any  # a tensor of the backend that Keras runs on

BOUNDARY_WINDOW = 5


class DistillationTrainer(keras.Model):
    """Trains a network with auxiliary heads, which may also imitate a teacher's logits.

    `loss = OHEM(prediction) + .2 * sum(OHEM(auxiliary)) + KL(teacher || network)`. All terms are
    computed at the size of the labels (or on a grid of their pixels, see `loss_stride`), in float32
    whatever the networks' precision. Compile with only the optimizer,
    `compile(optimizer=L2SGD(...))`, then `fit` on any backend; for float16, wrap the optimizer in a
    `LossScaleOptimizer`.

    Args:
        network: Maps images to a dictionary of full-size logits.
        teacher: Maps images to full-size logits; it is not trained. `None`: no distillation.
        prediction: Name of the deployed logits, which also imitate the teacher's.
        auxiliary_weight: Weight of the losses of all other logits.
        distillation_weight: Weight of the distillation loss.
        distillation: "pixel" or "channel"; see `distillation_loss`, also for the next two.
        distillation_temperature: Divides both logits.
        distillation_reduction: "element_mean" (released: mean over batch, pixels and classes) or
            "pixel_mean".
        threshold: Threshold of the OHEM cross-entropy.
        ignore_label: Label of pixels to ignore.
        class_weights: Weight of every class in the OHEM cross-entropy; `None`: equal weights.
        boundary_weight: Weight of the mean cross-entropy of `prediction` over the pixels with
            another class nearby, see `boundary_labels`; a term of its own (our choice).
        loss_stride: Losses are computed on every `loss_stride`-th row and column of pixels (our
            choice). 1: on all of them.
        sync_batch_norm: Whether devices that share a batch normalise it by its own statistics
            instead of their parts'.

    Data: pairs of images `(batch, height, width, 3)` and labels `(batch, height, width)`.

    Reference:
        FasterSeg, section 3.4 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        network: keras.Model,
        teacher: keras.Model | None = None,
        prediction: str = "scale_8",
        auxiliary_weight: float = 0.2,
        distillation_weight: float = 1.0,
        distillation: str = "pixel",
        distillation_temperature: float = 1.0,
        distillation_reduction: str = "element_mean",
        threshold: float = 0.7,
        ignore_label: int = 255,
        class_weights: Sequence[float] | None = None,
        boundary_weight: float = 0.0,
        loss_stride: int = 1,
        sync_batch_norm: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.network = network
        if teacher is not None:
            teacher.trainable = False
        self.teacher = teacher
        self.prediction = prediction
        self.auxiliary_weight = auxiliary_weight
        self.distillation_weight = distillation_weight
        self._distillation = {
            "kind": distillation,
            "temperature": distillation_temperature,
            "reduction": distillation_reduction,
        }
        self.threshold = threshold
        self.ignore_label = ignore_label
        self.class_weights = None if class_weights is None else tuple(class_weights)
        self.boundary_weight = boundary_weight
        self.loss_stride = loss_stride
        self.sync_batch_norm = sync_batch_norm
        # On a GPU the kernels are fast already, and XLA needs libraries that some users lack.
        self._compiles_losses = computes_on_tensorflow_cpu()
        if teacher is not None:
            self.distillation_tracker = keras.metrics.Mean(name="distillation_loss")
        self.built = True

    def compile(self, optimizer, **kwargs):
        # "auto" differs between machines on TensorFlow; on JAX it compiles.
        on_tensorflow = keras.backend.backend() == "tensorflow"
        kwargs = {"jit_compile": False if on_tensorflow else "auto", **kwargs}
        super().compile(optimizer=optimizer, **kwargs)

    def train_step(self, *arguments):
        if replicas.number() == 1:
            return super().train_step(*arguments)
        with replicas.together(self.sync_batch_norm):
            return self._shared_step(*arguments)

    def _shared_step(self, data):
        """A step as Keras's, which would report the loss times the number of local devices."""
        import tensorflow as tf

        images, labels = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=labels, y_pred=self(images, training=True))
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        loss_tracker, *_ = self.metrics
        loss_tracker.update_state(loss)
        return self.get_metrics_result()

    def call(
        self, images: Tensor, training: bool | None = None
    ) -> tuple[Mapping[str, Tensor], Tensor | None]:
        """Returns the network's logits by head, and the teacher's logits."""
        predictions = self.network(images, training=training)
        return predictions, None if self.teacher is None else self.teacher(images, training=False)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True, **kwargs
    ) -> Tensor:
        predictions, teacher = y_pred  # pyright: ignore[reportGeneralTypeIssues]
        return self.loss_of(y, predictions, teacher)

    def loss_of(
        self, labels: Tensor, predictions: Mapping[str, Tensor], teacher: Tensor | None
    ) -> Tensor:
        """Returns the loss of full-size logits; also updates the metric of the distillation loss.

        Args:
            labels: `(batch, height, width)`.
            predictions: Logits of the network, by head, `(batch, height, width, num_classes)`.
            teacher: Logits of the teacher; `None`: no distillation.
        """
        common = {
            "ignore_label": self.ignore_label,
            "class_weights": self.class_weights,
            "jit_compile": self._compiles_losses,
        }
        own = self._on_grid(labels)
        logits = {name: self._on_grid(each) for name, each in predictions.items()}
        loss = 0.0
        for name, each in logits.items():
            weight = 1.0 if name == self.prediction else self.auxiliary_weight
            loss += weight * ohem_cross_entropy(own, each, threshold=self.threshold, **common)
        if self.boundary_weight:
            # Found among all pixels, whatever the stride.
            boundary = self._on_grid(boundary_labels(labels, self.ignore_label))
            loss += self.boundary_weight * ohem_cross_entropy(
                boundary, logits[self.prediction], min_kept=0, **common
            )
        if teacher is not None:
            imitation = distillation_loss(
                logits[self.prediction],
                self._on_grid(teacher),
                jit_compile=self._compiles_losses,
                **self._distillation,
            )
            self.distillation_tracker.update_state(replicas.with_mean_value(imitation))
            loss += self.distillation_weight * imitation
        return replicas.with_mean_value(loss)

    def _on_grid(self, values: Tensor) -> Tensor:
        first, stride = self.loss_stride // 2, self.loss_stride
        return values[:, first::stride, first::stride] if stride > 1 else values


def boundary_labels(labels: Tensor, ignore_label: int = 255) -> Tensor:
    """Labels of the pixels with another class in the 5 x 5 pixels around them; others are ignored.

    Ignored pixels are of no class.

    Args:
        labels: Class indices or `ignore_label`, of shape `(batch, height, width)`.
        ignore_label: Label of ignored pixels.

    Returns:
        int32 labels of the same shape.
    """
    labels = ops.cast(labels, "int32")
    valid = ops.not_equal(labels, ignore_label)
    values = ops.cast(labels, "float32")
    # Classes are at least 0; where there is none, neither the largest nor the smallest changes.
    highest = _largest_nearby(ops.where(valid, values, -1.0))
    lowest = -_largest_nearby(ops.where(valid, -values, -1e9))
    return ops.where(ops.logical_and(valid, highest > lowest), labels, ignore_label)


def _largest_nearby(values: Tensor) -> Tensor:
    pooled = ops.max_pool(values[..., None], BOUNDARY_WINDOW, strides=1, padding="same")
    return pooled[..., 0]
