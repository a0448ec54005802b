"""Training of the supernet's weights before the search."""

import keras
import tensorflow as tf

from keras_fasterseg.layers.random_state import SavesRandomState
from keras_fasterseg.spaces.base import SearchModel


class SupernetPretrainer(SavesRandomState, keras.Model):
    """Trains weights with choices made by the search space; architectures do not change.

    Compile with the optimizer alone: `compile(optimizer=L2SGD(..., global_clipnorm=5.0))`.

    Args:
        model: The supernet and the architectures.
        seed: Seed of the space's random choices.

    Data: pairs of images `(batch, height, width, 3)` and labels `(batch, height, width)`.

    Reference:
        FasterSeg, section 4.2 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(self, model: SearchModel, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.model = model
        # Checkpoints store attributes under these names.
        self.supernet = model.supernet
        for role, architecture in model.architectures.items():
            setattr(self, role, architecture)
        self.random = keras.random.SeedGenerator(seed)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.built = True

    @property
    def metrics(self):
        return [self.loss_tracker]

    def train_step(self, data):
        images, labels = data
        weights = self.supernet.trainable_variables
        choices = self.model.pretraining_choices(self.optimizer.iterations, self.random)
        with tf.GradientTape() as tape:
            loss = self.model.loss(images, labels, choices)
        # A step may not use some weights, such as the heads of one role; decay and momentum still
        # apply to them.
        gradients = tape.gradient(
            loss,
            [variable.value for variable in weights],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        self.optimizer.apply(gradients, weights)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}
