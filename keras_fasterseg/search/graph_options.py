"""Tracing and optimisation of graphs while a supernet is trained. Has a switch for TensorFlow."""

import contextlib
import gc
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def without_graph_rewriting() -> Iterator[None]:
    """Disables Grappler's rewriting inside the context, and speeds up tracing.

    The graph of a step calls a few functions many times, and Grappler copies and optimises their
    body for every call. That took minutes before the first step and made later ones no faster.
    Other backends have no Grappler.
    Python's garbage collector skips all objects that already exist, which saves a tenth of the
    tracing time.
    """
    freezes = gc.get_freeze_count() == 0
    if freezes:
        gc.collect()
        gc.freeze()
    try:
        on_tensorflow = keras.backend.backend() == "tensorflow"
        with _without_grappler() if on_tensorflow else contextlib.nullcontext():
            yield
    finally:
        if freezes:
            gc.unfreeze()


@contextlib.contextmanager
def _without_grappler() -> Iterator[None]:
    import tensorflow as tf

    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        restored = {"disable_meta_optimizer": before.get("disable_meta_optimizer", False)}
        tf.config.optimizer.set_experimental_options(restored)
