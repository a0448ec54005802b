"""Training of the supernet's weights before the search."""

import keras

from keras_fasterseg.layers.random_state import SavesRandomState
from keras_fasterseg.search.supernet_trainer import SupernetTrainer
from keras_fasterseg.spaces.base import SearchModel


class SupernetPretrainer(SavesRandomState, SupernetTrainer):
    """Trains weights with choices made by the search space; architectures do not change.

    Compile with the optimizer alone: `compile(optimizer=L2SGD(..., global_clipnorm=5.0))`.

    Args:
        model: The supernet and the architectures.
        seed: Seed of the space's random choices.
        **kwargs: As for `SupernetTrainer`.

    Data: pairs of images `(batch, height, width, 3)` and labels `(batch, height, width)`.

    Reference:
        FasterSeg, section 4.2 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(self, model: SearchModel, seed: int | None = None, **kwargs):
        super().__init__(model, **kwargs)
        self.random = keras.random.SeedGenerator(seed)

    def step(self, data):
        images, labels = data
        iteration = self.optimizer.iterations
        loss, _ = self.update(
            lambda: (self.model.pretraining_choices(iteration, self.random), None),
            lambda choices: self.model.loss(images, labels, choices),
            [(self.optimizer, self.supernet.trainable_variables)],
        )
        self.loss_tracker.update_state(loss)
