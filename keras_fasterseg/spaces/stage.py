"""A step of a network, for its cost on paper and on a device."""

import dataclasses

from keras_fasterseg.latency.op_key import OpKey


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of a network.

    Attributes:
        name: Name of its layer, a part of it after a dot.
        keys: The operations it runs; none for an identity.
        training_only: Whether only training has it: the auxiliary heads.
    """

    name: str
    keys: tuple[OpKey, ...]
    training_only: bool = False
