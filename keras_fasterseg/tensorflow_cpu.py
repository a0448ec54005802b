"""Backend switch for optimisations that only TensorFlow on a CPU needs."""

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
    """Compiles `function` and its gradient with XLA, once per combination of shapes and values.

    On other backends, which compile entire steps or nothing, returns `function` itself.

    Args:
        function: A function of tensors and of hashable Python values.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)
