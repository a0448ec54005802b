"""Architecture parameters of the AutoRTNet-style space, and the states that are left."""

from typing import Any

import numpy as np
from keras import ops

from keras_fasterseg.layers.gumbel_softmax import straight_through
from keras_fasterseg.spaces.autortnet.choices import Choices, group_shapes
from keras_fasterseg.spaces.autortnet.settings import AutoRTNetSettings
from keras_fasterseg.spaces.autortnet.trellis import COARSEST_STATES, STATES
from keras_fasterseg.spaces.cells.architecture import CellArchitecture

_COARSEST = [STATES.index(state) for state in COARSEST_STATES]
_REMOVED = -1e9


class AutoRTNetArchitecture(CellArchitecture):
    """Logits of the states of every hyper-cell and of the operations of every edge.

    Logits start at normal values of mean 1 and deviation .01. While searching, gates are one-hot
    samples with the gradient of the soft ones, and operations samples of the concrete
    distribution; else both are softmaxes. A mask says which states are left; checkpoints store it.

    Args:
        settings: Settings of the space.
        seed: Seed of the initial logits and of the sampling.

    Reference:
        AutoRTNet (Sun et al., IJCV 2021, https://arxiv.org/abs/2003.14226) for the pruning of
        states; the sampling and the start are our choices, as in the space `gas`.
    """

    def __init__(self, settings: AutoRTNetSettings, seed: int | None = None, **kwargs: Any):
        shapes = group_shapes(settings)
        super().__init__(
            {name: shape for name, shape in shapes.items() if name != "coarsest"}, seed, **kwargs
        )
        self.settings = settings
        self.left = self.add_weight(
            name="states_left",
            shape=shapes["gates"],
            dtype="bool",
            initializer="ones",
            trainable=False,
        )
        self.built = True

    def call(self, training: bool = False, temperature: Any = 1.0) -> Choices:
        logits = self.raw_logits()
        if training:
            logits = self.sampled(logits, temperature)
        logits["gates"] = ops.where(ops.convert_to_tensor(self.left), logits["gates"], _REMOVED)
        logits["coarsest"] = ops.take(logits["gates"], _COARSEST, axis=-1)
        choices = {name: ops.softmax(each, axis=-1) for name, each in logits.items()}
        if training:
            for name in ("gates", "coarsest"):
                choices[name] = straight_through(choices[name])
        return choices

    def prune(self) -> None:
        """Removes the least likely of all states, if it is unlikely enough; see `pruned`."""
        gates = ops.convert_to_numpy(self()["gates"])
        self.left.assign(pruned(np.array(self.left), gates, self.settings.pruning_ratio))


def pruned(left: np.ndarray, probabilities: np.ndarray, ratio: float) -> np.ndarray:
    """The states left after one step of pruning.

    The least likely state of all hyper-cells goes, if its probability is at most `ratio` times
    that of its hyper-cell's likeliest. The likeliest always stays, and so does one of `normal` and
    `skip`, which are all there are at the coarsest resolution.

    Args:
        left: `(hyper-cells, 3)`, bool, in the order of `STATES`.
        probabilities: `(hyper-cells, 3)`.
        ratio: Largest share of the likeliest.
    """
    largest = probabilities.max(axis=-1, keepdims=True)
    removable = left & (probabilities <= ratio * largest) & (probabilities < largest)
    only = left[:, _COARSEST].sum(axis=-1) == 1
    removable[:, _COARSEST] &= ~only[:, None]
    kept = left.copy()
    if removable.any():
        kept.flat[np.where(removable, probabilities, np.inf).argmin()] = False
    return kept
