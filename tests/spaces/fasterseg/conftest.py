import pytest

from keras_fasterseg.spaces.fasterseg.supernet import Supernet
from tests.search.tiny_space import functions_run_eagerly, make_space
from tests.spaces.fasterseg.one_hot_choices import BASE_FILTERS, NUM_LAYERS, randomize_weights


@pytest.fixture(scope="session")
def supernets():
    """A supernet of three classes a blend, with the same weights; a test leaves them as they are.

    One for the whole session, since each costs seconds to build and to trace.
    """
    by_blend = {}
    for blend in ("inputs", "outputs"):
        supernet = Supernet(3, NUM_LAYERS, BASE_FILTERS, blend=blend)
        supernet.build()
        by_blend[blend] = supernet
    randomize_weights(by_blend["inputs"].weights)
    by_blend["outputs"].set_weights(by_blend["inputs"].get_weights())
    return by_blend


@pytest.fixture
def eagerly():
    with functions_run_eagerly():
        yield


@pytest.fixture(scope="module")
def space():
    """A tiny supernet and its architectures; a test leaves the trainable variables as they are."""
    return make_space()
