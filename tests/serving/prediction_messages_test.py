"""Against the wire format, spelled out; the official classes are in tests/environments/serving."""

import numpy as np
import tensorflow as tf

from keras_fasterseg.serving.predict_request import predict_request
from keras_fasterseg.serving.prediction_messages import PredictionLog, PredictRequest


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field, below 128 bytes long."""
    return bytes([number << 3 | 2, len(content)]) + content


def test_a_request_byte_by_byte():
    images = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(1, 2, 3, 3)
    request = predict_request(images, "student", 300)
    tensor = tf.make_tensor_proto(images).SerializeToString()
    # 300 is AC 02 as a varint.
    model = field(1, b"student") + field(2, b"\x08\xac\x02") + field(3, b"serving_default")
    entry = field(1, b"images") + field(2, tensor)
    assert request.SerializeToString(deterministic=True) == field(1, model) + field(2, entry)


def test_a_log_has_its_request_in_field_6():
    log = PredictionLog()
    log.predict_log.request.model_spec.name = "s"
    assert log.SerializeToString() == field(6, field(1, field(1, field(1, b"s"))))


def test_unknown_fields_are_passed_over():
    request = PredictRequest.FromString(
        field(1, field(1, b"s") + field(4, b"stable")) + b"\x50\x07"
    )
    assert request.model_spec.name == "s"
