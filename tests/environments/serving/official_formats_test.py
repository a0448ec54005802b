"""What this package writes, read by the official messages of both servers."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

pytest.importorskip(
    "tensorflow_serving",
    reason="`make test-serving` makes the environment with tensorflow-serving-api",
)
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2
from tritonclient.grpc import model_config_pb2

from keras_fasterseg.serving import prediction_messages
from keras_fasterseg.serving.predict_request import predict_request
from tests.environments.serving.conftest import FREE_MODEL, MODEL, NUM_CLASSES, SIZE, street_images


def test_a_request_is_the_official_one_byte_by_byte():
    images = street_images()
    official = predict_pb2.PredictRequest()
    official.model_spec.name = MODEL
    official.model_spec.version.value = 3
    official.model_spec.signature_name = "serving_default"
    official.inputs["images"].CopyFrom(tf.make_tensor_proto(images))
    ours = predict_request(images, MODEL, 3)
    assert ours.SerializeToString(deterministic=True) == official.SerializeToString(
        deterministic=True
    )


def test_an_official_response_is_read():
    official = predict_pb2.PredictResponse()
    official.outputs["class_ids"].CopyFrom(tf.make_tensor_proto(street_images()))
    official.model_spec.version_label = "stable"
    ours = prediction_messages.PredictResponse.FromString(official.SerializeToString())
    tensor = tf.io.parse_tensor(ours.outputs["class_ids"], tf.uint8)
    np.testing.assert_array_equal(tensor, street_images())


def test_warmup_requests(exports, saved_model_runner):
    folder = exports.tensorflow_serving / MODEL / "1" / "assets.extra"
    records = list(tf.data.TFRecordDataset(str(folder / "tf_serving_warmup_requests")))
    (log,) = [prediction_log_pb2.PredictionLog.FromString(each.numpy()) for each in records]
    assert log.WhichOneof("log_type") == "predict_log"
    request = log.predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == (
        MODEL,
        "serving_default",
    )
    assert saved_model_runner(tf.make_ndarray(request.inputs["images"])).shape == (1, *SIZE)


def test_models_config(exports):
    text = (exports.tensorflow_serving / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == (MODEL, f"/models/{MODEL}")
    assert model.model_platform == "tensorflow"


def test_triton_config(exports):
    text = (exports.triton / MODEL / "config.pbtxt").read_text()
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    assert (config.name, config.backend, config.max_batch_size) == (MODEL, "onnxruntime", 0)
    assert config.default_model_filename == "model.onnx"
    forms = {each.name: (each.data_type, list(each.dims)) for each in config.output}
    assert forms == {
        "class_ids": (model_config_pb2.TYPE_UINT8, [1, *SIZE]),
        "logits": (model_config_pb2.TYPE_FP32, [1, *SIZE, NUM_CLASSES]),
    }
    (images,) = config.input
    assert (images.data_type, list(images.dims)) == (
        model_config_pb2.TYPE_UINT8,
        [1, *SIZE, 3],
    )


def test_triton_config_of_a_model_for_every_number_and_size(exports):
    text = (exports.triton / FREE_MODEL / "config.pbtxt").read_text()
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    assert (config.name, config.max_batch_size) == (FREE_MODEL, 4)
    assert [list(each.dims) for each in (*config.input, *config.output)] == [[-1, -1, 3], [-1, -1]]
    assert config.dynamic_batching.max_queue_delay_microseconds == 50_000
    (warmup,) = config.model_warmup
    assert (warmup.batch_size, list(warmup.inputs["images"].dims)) == (1, [256, 256, 3])
