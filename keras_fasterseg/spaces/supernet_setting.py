"""A supernet under one setting, as a model of its own."""

from typing import Any

import keras

Tensor = Any


class SupernetSetting(keras.Model):
    """A supernet under one setting; it shares the supernet's weights and statistics.

    Args:
        supernet: The supernet.
        choices: The setting.

    Call arguments:
        images: Normalised images, `(batch, height, width, 3)`.
        training: Whether batch statistics are used and the running ones updated.
    """

    def __init__(self, supernet: keras.Model, choices: Any, **kwargs):
        super().__init__(**kwargs)
        self.supernet = supernet
        self._choices = lambda: choices
        self.built = True

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        return self.supernet(images, self._choices(), training=training)
