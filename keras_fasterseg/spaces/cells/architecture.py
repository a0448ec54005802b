"""Base class of the architecture parameters of spaces of cells."""

from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.gumbel_softmax import gumbel_noise
from keras_fasterseg.layers.random_state import SavesRandomState

MEAN_LOGIT, SPREAD = 1.0, 0.01


class CellArchitecture(SavesRandomState, keras.layers.Layer):
    """Logits of choices by family, which start at normal values of mean 1 and deviation .01.

    Args:
        shapes: Shapes of the logits by family; the last axis is a group.
        seed: Seed of the initial logits and of the sampling.

    Reference:
        The start: SNAS (https://arxiv.org/abs/1812.09926).
    """

    def __init__(self, shapes: dict[str, tuple[int, ...]], seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.random = keras.random.SeedGenerator(seed)
        self.raw = {
            name: self.add_weight(
                name=name,
                shape=shape,
                initializer=keras.initializers.RandomNormal(MEAN_LOGIT, SPREAD, seed=seed),
                autocast=False,
            )
            for name, shape in shapes.items()
        }

    def raw_logits(self) -> dict[str, Any]:
        """The logits as tensors."""
        return {name: ops.convert_to_tensor(each) for name, each in self.raw.items()}

    def sampled(self, logits: dict[str, Any], temperature: Any) -> dict[str, Any]:
        """Logits of a sample of the concrete distribution: with Gumbel noise, over temperature."""
        return {
            name: (each + gumbel_noise(keras.random.uniform(each.shape, seed=self.random)))
            / temperature
            for name, each in logits.items()
        }
