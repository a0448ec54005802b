"""A small traced function with weights, for tests of the converters."""

import keras
import numpy as np
import tensorflow as tf

_MODELS: list[keras.Model] = []


def traced_convolution(seed: int = 0):
    """`features (1, 16, 24, 8)` -> `{"halved": (1, 8, 12, 16), "sum": (1, 8, 12, 16)}`."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((16, 24, 8)),
            keras.layers.ZeroPadding2D(1),
            keras.layers.Conv2D(16, 3, strides=2, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    )
    model.layers[-2].set_weights([np.random.default_rng(k).uniform(0.5, 2, 16) for k in range(4)])

    def run(features):
        halved = model(features, training=False)
        return {"halved": halved, "sum": halved + tf.reduce_mean(features)}

    # A traced function does not keep alive the variables that it reads.
    _MODELS.append(model)
    specification = tf.TensorSpec((1, 16, 24, 8), tf.float32, name="features")
    return tf.function(run, autograph=False).get_concrete_function(specification)


def random_features(seed: int = 0) -> np.ndarray:
    """An input of that function."""
    return np.random.default_rng(seed).normal(size=(1, 16, 24, 8)).astype(np.float32)
