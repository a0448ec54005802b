"""Training the supernet's weights before any architecture is searched."""

import dataclasses

import keras
import tensorflow as tf

from keras_fasterseg.layers.random_state import SavesRandomState
from keras_fasterseg.search.supernet_loss import SupernetLoss, uniform_setting
from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.choices import (
    Choices,
    one_hot_widths,
    stack_settings,
    width_shapes,
)
from keras_fasterseg.spaces.fasterseg.supernet import Supernet


class SupernetPretrainer(SavesRandomState, keras.Model):
    """Trains weights at the largest, the smallest and two random widths a step.

    Even steps run with the teacher's stem and heads, odd steps with the student's (the released
    code never trains the student's). Operations and paths are blended as the architectures say,
    uniformly at the start, and are not trained.

    Compile with the optimizer alone: `compile(optimizer=L2SGD(..., global_clipnorm=5.0))`.

    Args:
        supernet: The built supernet.
        teacher, student: The architectures.
        seed: Seed of the random widths.

    Data: pairs of images `(batch, height, width, 3)` and labels `(batch, height, width)`.

    Reference:
        FasterSeg, section 4.2 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        supernet: Supernet,
        teacher: Architecture,
        student: Architecture,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supernet = supernet
        self.teacher = teacher
        self.student = student
        self.random = keras.random.SeedGenerator(seed)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.supernet_loss = SupernetLoss(supernet)
        self.built = True

    @property
    def metrics(self):
        return [self.loss_tracker]

    def train_step(self, data):
        images, labels = data
        weights = self.supernet.trainable_variables
        choices = self._choices()
        with tf.GradientTape() as tape:
            loss = self.supernet_loss(images, labels, choices)
        # A step leaves out the stem and the heads of one role; decay and momentum move them still.
        gradients = tape.gradient(
            loss,
            [variable.value for variable in weights],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        self.optimizer.apply(gradients, weights)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def _choices(self):
        is_student = tf.equal(tf.cast(self.optimizer.iterations, tf.int64) % 2, 1)
        teacher, student = self.teacher(), self.student()
        alphas, betas = tf.nest.map_structure(
            lambda ours, theirs: tf.where(is_student, ours, theirs),
            (student.alphas, student.betas),
            (teacher.alphas, teacher.betas),
        )
        widest = len(self.supernet.width_multipliers) - 1
        widths = (
            uniform_setting(self.supernet, widest),
            uniform_setting(self.supernet, 0),
            self._random(),
            self._random(),
        )
        settings = [Choices(alphas, betas, each, is_student) for each in widths]
        return dataclasses.replace(stack_settings(settings), role=is_student)

    def _random(self):
        count = len(self.supernet.width_multipliers)
        shapes = width_shapes(self.supernet.num_layers)
        indexes = [keras.random.randint((n,), 0, count, seed=self.random) for n in shapes]
        return one_hot_widths(indexes, count)
