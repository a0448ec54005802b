"""Architecture parameters of the GAS-style space."""

from typing import Any

import keras
from keras import ops

from keras_fasterseg.layers.gumbel_softmax import gumbel_noise
from keras_fasterseg.layers.random_state import SavesRandomState
from keras_fasterseg.spaces.gas.choices import Choices, group_shapes
from keras_fasterseg.spaces.gas.guidance import GraphGuidance
from keras_fasterseg.spaces.gas.settings import GasSettings

MEAN_LOGIT, SPREAD = 1.0, 0.01


class GasArchitecture(SavesRandomState, keras.layers.Layer):
    """Logits of the operations of every edge, and the guidance between cells.

    Logits start at normal values of mean 1 and deviation .01. The supernet only sees shares of
    the operations: while searching, a sample of the concrete distribution,
    `softmax((logits + Gumbel noise) / temperature)`; else `softmax(logits)`.

    Args:
        settings: Settings of the space.
        seed: Seed of the initial logits and of the sampling.

    Reference:
        Lin et al., CVPR 2020 (https://arxiv.org/abs/1909.06793); start and relaxation: SNAS
        (https://arxiv.org/abs/1812.09926).
    """

    def __init__(self, settings: GasSettings, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.settings = settings
        self.random = keras.random.SeedGenerator(seed)
        self.raw = {
            name: self.add_weight(
                name=name,
                shape=shape,
                initializer=keras.initializers.RandomNormal(MEAN_LOGIT, SPREAD, seed=seed),
                autocast=False,
            )
            for name, shape in group_shapes(settings).items()
        }
        self.guidance = None
        if settings.guidance and settings.cells > 1:
            self.guidance = GraphGuidance(
                settings.guidance_features, settings.guidance, name="guidance"
            )
            self.guidance.build(self.raw["cells"].shape)
        self.built = True

    def logits(self) -> Choices:
        """Logits by family, with the messages between cells."""
        found = {name: ops.convert_to_tensor(each) for name, each in self.raw.items()}
        if self.guidance is not None:
            found["cells"] = self.guidance(found["cells"])
        return found

    def call(self, training: bool = False, temperature: Any = 1.0) -> Choices:
        logits = self.logits()
        if training:
            logits = {
                name: (each + gumbel_noise(self._uniform(each.shape))) / temperature
                for name, each in logits.items()
            }
        return {name: ops.softmax(each, axis=-1) for name, each in logits.items()}

    def _uniform(self, shape: tuple[int, ...]) -> Any:
        return keras.random.uniform(shape, seed=self.random)
