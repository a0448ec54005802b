"""Training the supernet's weights before any architecture is searched."""

import dataclasses

import keras
import tensorflow as tf

from keras_fasterseg.layers.random_state import SavesRandomState
from keras_fasterseg.search.passes import (
    SupernetPasses,
    clipped,
    stack_widths,
    uniform_setting,
)
from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.choices import one_hot_widths, width_shapes
from keras_fasterseg.spaces.fasterseg.supernet import Supernet


class SupernetPretrainer(SavesRandomState, keras.Model):
    """Trains weights at the largest, the smallest and two random widths a step.

    Even steps run with the teacher's stem and heads, odd steps with the student's (the released
    code never trains the student's). Operations and paths are blended as the architectures say,
    uniformly at the start, and are not trained.

    Compile with the optimizer alone: `compile(optimizer=L2SGD(...))`.

    Args:
        supernet: The built supernet.
        teacher, student: The architectures.
        clip_norm: Largest global norm of the summed gradient.
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
        clip_norm: float = 5.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supernet = supernet
        self.teacher = teacher
        self.student = student
        self.clip_norm = clip_norm
        self.random = keras.random.SeedGenerator(seed)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.passes = SupernetPasses(supernet)
        self.built = True

    @property
    def metrics(self):
        return [self.loss_tracker]

    def train_step(self, data):
        images, labels = data
        widest = len(self.supernet.width_multipliers) - 1
        widths = stack_widths(
            [
                uniform_setting(self.supernet, widest),
                uniform_setting(self.supernet, 0),
                self._random(),
                self._random(),
            ]
        )

        def run(architecture: Architecture):
            choices = dataclasses.replace(architecture(), widths=widths)
            return self.passes.weight_gradients(images, labels, choices)

        loss, gradients = tf.cond(
            tf.equal(tf.cast(self.optimizer.iterations, tf.int64) % 2, 0),
            lambda: run(self.teacher),
            lambda: run(self.student),
        )
        weights = self.supernet.trainable_variables
        self.optimizer.apply(clipped(gradients, self.clip_norm), weights)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def _random(self):
        count = len(self.supernet.width_multipliers)
        shapes = width_shapes(self.supernet.num_layers)
        indexes = [keras.random.randint((n,), 0, count, seed=self.random) for n in shapes]
        return one_hot_widths(indexes, count)
