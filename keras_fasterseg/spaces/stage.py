"""Step of a network, for computing its work and its latency."""

import dataclasses

from keras_fasterseg.latency.op_key import OpKey


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of a network.

    Attributes:
        name: Name of its layer; a dot precedes the name of a part of the layer.
        keys: Operations of the step; empty for an identity.
        training_only: True for steps that only run in training: the auxiliary heads.
    """

    name: str
    keys: tuple[OpKey, ...]
    training_only: bool = False
