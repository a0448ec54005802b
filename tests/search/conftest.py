import pytest

from tests.search.tiny_space import functions_run_eagerly, make_space


@pytest.fixture
def eagerly():
    with functions_run_eagerly():
        yield


@pytest.fixture(scope="module")
def space():
    """A tiny supernet and its architectures; a test leaves the trainable variables as they are."""
    return make_space()
