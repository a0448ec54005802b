"""State dicts of the released implementation, as the fixtures hold them."""

import numpy as np

from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.reference import (
    load_reference_architecture,
    load_reference_supernet,
)
from keras_fasterseg.spaces.fasterseg.supernet import Supernet

NUM_CLASSES = 19
NUM_LAYERS = 6
BASE_FILTERS = 6


def released_state(fixture: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tensors by name; kernels are stored as small integers times a scalar."""
    state = {}
    for key, value in fixture.items():
        kind, _, name = key.partition("/")
        if kind == "q":
            state[name] = value.astype("float32") * fixture[f"s/{name}"]
        elif kind == "w":
            state[name] = value
    return state


def released_supernet(fixture: dict[str, np.ndarray], blend: str) -> Supernet:
    """The supernet of `supernet_L6_F6.npz`."""
    supernet = Supernet(NUM_CLASSES, NUM_LAYERS, BASE_FILTERS, blend=blend)
    supernet.build()
    report = load_reference_supernet(supernet, supernet_state(fixture))
    if report.missing or report.unused:
        raise ValueError(f"The fixture and the supernet have different weights: {report}")
    return supernet


def released_architecture(fixture: dict[str, np.ndarray], role: str) -> Architecture:
    """One of the two architectures of `supernet_L6_F6.npz`."""
    architecture = Architecture(role, NUM_LAYERS)
    report = load_reference_architecture(architecture, architecture_state(fixture))
    if report.missing or report.unused:
        raise ValueError(f"The fixture and the architecture have different logits: {report}")
    return architecture


def supernet_state(fixture: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    state = released_state(fixture)
    return {name: value for name, value in state.items() if not _is_logit(name)}


def architecture_state(fixture: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    state = released_state(fixture)
    return {name: value for name, value in state.items() if _is_logit(name)}


def _is_logit(name: str) -> bool:
    return name.startswith(("alpha_", "beta_", "ratio_"))
