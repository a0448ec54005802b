"""Architecture parameters of the GAS-style space."""

from typing import Any

from keras import ops

from keras_fasterseg.spaces.cells.architecture import CellArchitecture
from keras_fasterseg.spaces.gas.choices import Choices, group_shapes
from keras_fasterseg.spaces.gas.guidance import GraphGuidance
from keras_fasterseg.spaces.gas.settings import GasSettings


class GasArchitecture(CellArchitecture):
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
        super().__init__(group_shapes(settings), seed, **kwargs)
        self.settings = settings
        self.guidance = None
        if settings.guidance and settings.cells > 1:
            self.guidance = GraphGuidance(
                settings.guidance_features, settings.guidance, name="guidance"
            )
            self.guidance.build(self.raw["cells"].shape)
        self.built = True

    def logits(self) -> Choices:
        """Logits by family, with the messages between cells."""
        found = self.raw_logits()
        if self.guidance is not None:
            found["cells"] = self.guidance(found["cells"])
        return found

    def call(self, training: bool = False, temperature: Any = 1.0) -> Choices:
        logits = self.logits()
        if training:
            logits = self.sampled(logits, temperature)
        return {name: ops.softmax(each, axis=-1) for name, each in logits.items()}
