"""Backend switch: what TensorFlow needs for being fast on a CPU, and other backends do not."""

import functools
from collections.abc import Callable

import keras


def computes_on_tensorflow_cpu() -> bool:
    """True if Keras runs on TensorFlow and TensorFlow sees no GPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.get_visible_devices("GPU")


@functools.cache
def compiled(function: Callable) -> Callable:
    """`function` and its gradient, compiled by XLA once for each shape and each other argument.

    Other backends compile whole steps, or nothing: for them it is `function` itself.

    Args:
        function: Takes tensors, and Python values that can be hashed.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)
