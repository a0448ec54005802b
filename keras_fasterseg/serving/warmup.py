"""Requests that TensorFlow Serving runs before it accepts clients.

The first call of a graph is many times slower than later calls.
"""

import pathlib
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from keras_fasterseg.runtimes.signature import MINIMUM_SIZE
from keras_fasterseg.serving.predict_request import predict_request
from keras_fasterseg.serving.prediction_messages import PredictionLog


def warmup_images(size: tuple[int, int]) -> np.ndarray:
    """A grey image of that height and width, `(1, height, width, 3)`.

    Raises:
        ValueError: A size is below 32.
    """
    if min(size) < MINIMUM_SIZE:
        raise ValueError(
            f"Height and width of a warm-up must be at least {MINIMUM_SIZE}. Received: size={size}"
        )
    return np.full((1, *size, 3), 128, np.uint8)


def write_warmup_requests(path: pathlib.Path, model: str, batches: Iterable[np.ndarray]) -> None:
    """Writes a TFRecord file of `PredictionLog`, one for each of `batches`.

    Args:
        path: `assets.extra/tf_serving_warmup_requests` in a SavedModel.
        model: Name of the model on the server.
        batches: uint8 images of shape `(batch, height, width, 3)`.

    Reference:
        https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for images in batches:
            log = PredictionLog()
            log.predict_log.request.CopyFrom(predict_request(images, model))
            writer.write(log.SerializeToString())
