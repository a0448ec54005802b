"""A PredictionService of grpcio on the official messages of tensorflow-serving-api."""

import sys

import grpc
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip(
    "tensorflow_serving",
    reason="`make test-serving` makes the environment with tensorflow-serving-api",
)

from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from keras_fasterseg.serving.errors import ServingError
from keras_fasterseg.serving.grpc_client import GrpcClient
from tests.environments.serving.conftest import (
    MODEL,
    SIZE,
    assert_answers_as,
    assert_tool_writes_label_maps,
    street_images,
)
from tests.environments.serving.server_process import free_port, listens, server_process
from tests.shared import ROOT

MAXIMUM_BYTES = 2**20


@pytest.fixture(scope="module")
def server(exports, tmp_path_factory):
    port = free_port()
    module = "tests.environments.serving.prediction_server"
    model = exports.tensorflow_serving / MODEL / "1"
    command = [sys.executable, "-m", module, str(model), MODEL, str(port), str(MAXIMUM_BYTES)]
    log = tmp_path_factory.mktemp("grpc") / "log"
    with server_process(command, lambda: listens(port), log, folder=ROOT):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def client(server):
    with GrpcClient(server, MODEL) as made:
        yield made


def test_class_ids_equal_the_local_runners(client, saved_model_runner):
    assert_answers_as(client, saved_model_runner)


def test_batches_and_other_sizes(client, saved_model_runner):
    images = np.random.default_rng(0).integers(0, 256, (2, 70, 45, 3), np.uint8)
    np.testing.assert_array_equal(client(images), saved_model_runner(images))


def test_versions(server, saved_model_runner):
    with GrpcClient(server, MODEL, version=1) as client:
        assert_answers_as(client, saved_model_runner, count=1)
    with (
        GrpcClient(server, MODEL, version=2) as client,
        pytest.raises(ServingError, match="answered NOT_FOUND: Servable not found"),
    ):
        client(street_images())


def test_the_tool(server, saved_model_runner, tmp_path):
    assert_tool_writes_label_maps("grpc", server, saved_model_runner, tmp_path)


def _tensor(array):
    return tf.make_tensor_proto(array)


def _truncated():
    tensor = _tensor(street_images())
    tensor.tensor_content = tensor.tensor_content[:-100]
    return tensor


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (_tensor(street_images().astype(np.float32)), "Received: dtype float32"),
        (_truncated(), "."),
        (_tensor(np.zeros((1, 16, 64, 3), np.uint8)), "must be at least 32"),
    ],
    ids=["dtype", "corrupt", "small"],
)
def test_what_is_wrong_gets_an_error_and_the_server_lives_on(
    server, client, saved_model_runner, tensor, message
):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.inputs["images"].CopyFrom(tensor)
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError, match=message) as failure:
            stub.Predict(request, timeout=30)
    assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert_answers_as(client, saved_model_runner, count=1)


def test_bytes_that_are_no_message(server, client, saved_model_runner):
    with grpc.insecure_channel(server) as channel:
        method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError, match="deserializing") as failure:
            method(b"\xff\xff", timeout=30)
    assert failure.value.code() == grpc.StatusCode.INTERNAL
    assert_answers_as(client, saved_model_runner, count=1)


def test_a_too_large_image_is_told_by_the_client(client, saved_model_runner):
    with pytest.raises(ServingError, match=r"answered RESOURCE_EXHAUSTED: .*larger than max"):
        client(np.zeros((1, 1024, 512, 3), np.uint8))
    assert_answers_as(client, saved_model_runner, count=1)


def test_load(server, saved_model_runner, assert_bears_load):
    def make_client():
        return GrpcClient(server, MODEL, attempts=1)

    size = "x".join(map(str, SIZE))
    assert_bears_load(f"gRPC, PredictionService, {size}", make_client, saved_model_runner)
