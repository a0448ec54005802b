import pytest
import tensorflow as tf

from keras_fasterseg.search.graph_options import without_graph_rewriting


def rewriting_is_off() -> bool:
    return tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)


@pytest.fixture(autouse=True)
def _as_before():
    before = rewriting_is_off()
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})


@pytest.mark.parametrize("before", [False, True])
def test_what_was_set_before_is_restored(before):
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})
    with without_graph_rewriting():
        assert rewriting_is_off()
    assert rewriting_is_off() == before


def test_restored_after_an_exception():
    with pytest.raises(KeyError, match="inside"), without_graph_rewriting():
        raise KeyError("inside")
    assert not rewriting_is_off()


def test_other_options_stay():
    options = tf.config.optimizer
    before = options.get_experimental_options().get("constant_folding", True)
    options.set_experimental_options({"constant_folding": False})
    with without_graph_rewriting():
        assert options.get_experimental_options()["constant_folding"] is False
    assert options.get_experimental_options()["constant_folding"] is False
    options.set_experimental_options({"constant_folding": before})
