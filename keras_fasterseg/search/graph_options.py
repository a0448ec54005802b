"""How TensorFlow optimises graphs while a supernet is trained."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def without_graph_rewriting() -> Iterator[None]:
    """Switches Grappler's rewriting off inside the block.

    The graph of a step calls a few function bodies often; Grappler makes and optimises a copy of a
    body for every call. That took minutes before the first step and gained no time in later ones.
    """
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        restored = {"disable_meta_optimizer": before.get("disable_meta_optimizer", False)}
        tf.config.optimizer.set_experimental_options(restored)
