"""Registers the toy space for the tests of this folder only."""

import pytest

from keras_fasterseg.spaces import registry
from tests.conformance.toy_space import ToySpace


@pytest.fixture(scope="package", autouse=True)
def toy_space():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_REGISTERED", {})
        registry.register_space(ToySpace)
        yield
