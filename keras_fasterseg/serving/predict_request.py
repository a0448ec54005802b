"""Wraps images in a request to the PredictionService."""

from typing import Any

import numpy as np

from keras_fasterseg.runtimes.saved_model_format import CLASS_IDS_SIGNATURE, INPUT_NAME
from keras_fasterseg.serving.prediction_messages import PredictRequest


def predict_request(images: np.ndarray, model: str, version: int | None = None) -> Any:
    """A `PredictRequest` for the class ids of `images`.

    Args:
        images: uint8 images of shape `(batch, height, width, 3)`.
        model: Name of the model on the server.
        version: Version of the model; None leaves the choice to the server.
    """
    # Imported here: flags list the clients' names without TensorFlow.
    import tensorflow as tf

    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = CLASS_IDS_SIGNATURE
    if version is not None:
        request.model_spec.version.value = version
    request.inputs[INPUT_NAME] = tf.make_tensor_proto(images).SerializeToString()
    return request
