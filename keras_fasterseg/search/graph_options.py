"""Tracing and optimisation of graphs while a supernet is trained."""

import contextlib
import gc
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def without_graph_rewriting() -> Iterator[None]:
    """Switches Grappler's rewriting off inside the block.

    The graph of a step calls a few function bodies often; Grappler makes and optimises a copy of a
    body for every call. That took minutes before the first step and gained no time in later ones.
    Python's collector of garbage leaves alone what there is already: a tenth of the tracing.
    """
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    freezes = gc.get_freeze_count() == 0
    if freezes:
        gc.collect()
        gc.freeze()
    try:
        yield
    finally:
        if freezes:
            gc.unfreeze()
        restored = {"disable_meta_optimizer": before.get("disable_meta_optimizer", False)}
        tf.config.optimizer.set_experimental_options(restored)
