import pytest
import tensorflow as tf

from tests.search.tiny_space import make_space


@pytest.fixture
def eagerly():
    """A single pass, with its gradients above all, costs less than to trace it."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def space():
    """A tiny supernet and its architectures; a test leaves the trainable variables as they are."""
    return make_space()
