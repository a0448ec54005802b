"""State dicts of the released implementation, as the fixtures hold them or of random numbers."""

from collections.abc import Iterable

import numpy as np

from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.released import (
    Assignment,
    load_released_architecture,
    load_released_supernet,
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


def random_state(assignments: Iterable[Assignment], seed: int = 0) -> dict[str, np.ndarray]:
    """A released state dict for `assignments`, its kernels as (out, in, height, width)."""
    generator = np.random.default_rng(seed)
    state = {}
    for assignment in assignments:
        shape = tuple(assignment.weight.shape[len(assignment.index) :])
        shape = (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape
        state[assignment.name] = generator.normal(size=shape).astype("float32")
    return state


def released_supernet(fixture: dict[str, np.ndarray], blend: str) -> Supernet:
    """The supernet of `supernet_L6_F6.npz`."""
    supernet = Supernet(NUM_CLASSES, NUM_LAYERS, BASE_FILTERS, blend=blend)
    supernet.build()
    report = load_released_supernet(supernet, supernet_state(fixture))
    if report.missing or report.unused:
        raise ValueError(f"The fixture and the supernet have different weights: {report}")
    return supernet


def released_architecture(fixture: dict[str, np.ndarray], role: str) -> Architecture:
    """One of the two architectures of `supernet_L6_F6.npz`."""
    architecture = Architecture(role, NUM_LAYERS)
    report = load_released_architecture(architecture, architecture_state(fixture))
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
