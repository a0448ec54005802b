"""Training of a derived network, alone or with a frozen teacher."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from keras_fasterseg.losses.distillation import distillation_loss
from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.tensorflow_cpu import computes_on_tensorflow_cpu


class DistillationTrainer(keras.Model):
    """Trains a network with auxiliary heads, which may also imitate a teacher's logits.

    `loss = OHEM(prediction) + .2 * sum(OHEM(auxiliary)) + KL(teacher || network)`. All terms are
    computed at the size of the labels, in float32 whatever the networks' precision. Compile with
    only the optimizer: `compile(optimizer=L2SGD(...))`; for float16, wrap it in a
    `LossScaleOptimizer`.

    Args:
        network: Maps images to a dictionary of full-size logits.
        teacher: Maps images to full-size logits; it is not trained. `None`: no distillation.
        prediction: Name of the deployed logits, which also imitate the teacher's.
        auxiliary_weight: Weight of the losses of all other logits.
        distillation_weight: Weight of the distillation loss.
        distillation_reduction: "element_mean" (released: mean over batch, pixels and classes) or
            "pixel_mean".
        threshold: Threshold of the OHEM cross-entropy.
        ignore_label: Label of pixels to ignore.
        class_weights: Weight of every class in the OHEM cross-entropy; `None`: equal weights.

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
        distillation_reduction: str = "element_mean",
        threshold: float = 0.7,
        ignore_label: int = 255,
        class_weights: Sequence[float] | None = None,
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
        self.distillation_reduction = distillation_reduction
        self.threshold = threshold
        self.ignore_label = ignore_label
        self.class_weights = None if class_weights is None else tuple(class_weights)
        # On a GPU the kernels are fast already, and XLA needs libraries that some users lack.
        self._compiles_losses = computes_on_tensorflow_cpu()
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.distillation_tracker = keras.metrics.Mean(name="distillation_loss")
        self.built = True

    @property
    def metrics(self):
        if self.teacher is None:
            return [self.loss_tracker]
        return [self.loss_tracker, self.distillation_tracker]

    def train_step(self, data):
        images, labels = data
        weights = self.network.trainable_variables
        with tf.GradientTape() as tape:
            predictions = self.network(images, training=True)
            teacher = None if self.teacher is None else self.teacher(images, training=False)
            loss = self.loss_of(labels, predictions, teacher)
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, [weight.value for weight in weights])
        self.optimizer.apply(gradients, weights)
        self.loss_tracker.update_state(loss)
        return {metric.name: metric.result() for metric in self.metrics}

    def loss_of(
        self, labels: tf.Tensor, predictions: Mapping[str, tf.Tensor], teacher: tf.Tensor | None
    ) -> tf.Tensor:
        """Returns the loss of full-size logits; also updates the metric of the distillation loss.

        Args:
            labels: `(batch, height, width)`.
            predictions: Logits of the network, by head, `(batch, height, width, num_classes)`.
            teacher: Logits of the teacher; `None`: no distillation.
        """
        loss = 0.0
        for name, logits in predictions.items():
            weight = 1.0 if name == self.prediction else self.auxiliary_weight
            loss += weight * ohem_cross_entropy(
                labels,
                logits,
                threshold=self.threshold,
                ignore_label=self.ignore_label,
                class_weights=self.class_weights,
                jit_compile=self._compiles_losses,
            )
        if teacher is not None:
            imitation = distillation_loss(
                predictions[self.prediction],
                teacher,
                reduction=self.distillation_reduction,
                jit_compile=self._compiles_losses,
            )
            self.distillation_tracker.update_state(imitation)
            loss += self.distillation_weight * imitation
        return loss
