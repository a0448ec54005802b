"""Registers the toy space for the tests of this folder only, and fixtures for every space."""

import keras
import pytest

from keras_fasterseg.spaces import registry
from tests.conformance.architectures import draw_architectures
from tests.conformance.spaces import CLASSES, NAMES, SIZE, tiny_space
from tests.conformance.toy_space import ToySpace
from tests.run.latency_rows import random_table


@pytest.fixture(scope="package", autouse=True)
def toy_space():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_REGISTERED", {})
        registry.register_space(ToySpace)
        yield


@pytest.fixture(scope="module", params=NAMES)
def space(request):
    return tiny_space(request.param)


@pytest.fixture(scope="module")
def table(space):
    return random_table(space, SIZE, CLASSES)


@pytest.fixture(scope="module")
def model(space):
    """A supernet with random logits in its architectures."""
    keras.utils.set_random_seed(0)
    model = space.search_model(CLASSES, seed=0)
    draw_architectures(model, seed=0)
    return model
