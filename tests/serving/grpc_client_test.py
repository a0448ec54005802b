import concurrent.futures
import contextlib
import dataclasses
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from keras_fasterseg.serving.errors import ServingError, TransientServingError
from keras_fasterseg.serving.grpc_client import GrpcClient
from keras_fasterseg.serving.prediction_messages import PredictRequest, PredictResponse
from tests.stand_in import random_images

IMAGES = random_images(2, 32, 40)
CLASS_IDS = np.random.default_rng(1).integers(0, 256, (2, 32, 40), np.uint8)


def response(**outputs):
    message = PredictResponse()
    for name, value in outputs.items():
        message.outputs[name] = value.SerializeToString()
    return message.SerializeToString()


@dataclasses.dataclass
class _Bytes:
    """Bytes that a server may send instead of a tensor."""

    content: bytes

    def SerializeToString(self) -> bytes:  # noqa: N802
        return self.content


# Of a TensorProto: shape (3,).
THREE = b"\x12\x04\x12\x02\x08\x03"


def in_numbers(array):
    """As TensorFlow Serving answers unless it is told otherwise: not as bytes."""
    proto = tensor_pb2.TensorProto(dtype=tf.uint8.as_datatype_enum)
    proto.tensor_shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
    proto.int_val.extend(array.ravel().tolist())
    return proto


GOOD = response(class_ids=tf.make_tensor_proto(CLASS_IDS))


@contextlib.contextmanager
def prediction_service(*answers, address="127.0.0.1:0"):
    """Answers in turn with bytes, with an error's code or after a silence; notes requests."""
    received = []

    def predict(request, context):
        answer = answers[min(len(received), len(answers) - 1)]
        received.append(request)
        if isinstance(answer, grpc.StatusCode):
            context.abort(answer, "not\n now")
        if isinstance(answer, float):
            time.sleep(answer)
            return GOOD
        return answer

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    handlers = {"Predict": grpc.unary_unary_rpc_method_handler(predict)}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", handlers)]
    )
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield address.replace(":0", f":{port}"), received
    finally:
        server.stop(None).wait()


def client(address, **options):
    return GrpcClient(address, "student", **{"attempts": 2, **options})


def test_a_socket_of_the_file_system(tmp_path):
    address = f"unix:{tmp_path / 'socket'}"
    with (
        prediction_service(GOOD, address=address),
        GrpcClient(address, "student") as ask,
    ):
        np.testing.assert_array_equal(ask(IMAGES), CLASS_IDS)


@pytest.mark.parametrize("encode", [tf.make_tensor_proto, in_numbers])
def test_asks_for_class_ids_and_reads_both_encodings(encode):
    answer = response(class_ids=encode(CLASS_IDS))
    with prediction_service(answer) as (address, received), client(address, version=4) as ask:
        np.testing.assert_array_equal(ask(IMAGES), CLASS_IDS)
    request = PredictRequest.FromString(received[0])
    assert request.model_spec.name == "student"
    assert request.model_spec.version.value == 4
    assert request.model_spec.signature_name == "serving_default"
    assert set(request.inputs) == {"images"}
    tensor = tf.io.parse_tensor(request.inputs["images"], tf.uint8)
    np.testing.assert_array_equal(tensor, IMAGES)


def test_without_a_version_the_server_chooses():
    with prediction_service(GOOD) as (address, received), client(address) as ask:
        ask(IMAGES)
    assert not PredictRequest.FromString(received[0]).model_spec.HasField("version")


def test_receives_answers_above_four_mebibytes():
    answer = response(class_ids=tf.make_tensor_proto(np.zeros((1, 1024, 4097), np.uint8)))
    assert len(answer) > 4 * 2**20
    # It has arrived, although it belongs to no image that was sent.
    with (
        prediction_service(answer) as (address, _),
        client(address) as ask,
        pytest.raises(ServingError, match=r"\(1, 1024, 4097\) instead of"),
    ):
        ask(IMAGES)


def test_comes_again_when_the_server_is_not_available():
    # More than gRPC keeps of a request by itself.
    images = random_images(1, 512, 512)
    class_ids = images[..., 0]
    good = response(class_ids=tf.make_tensor_proto(class_ids))
    with (
        prediction_service(grpc.StatusCode.UNAVAILABLE, good) as (address, received),
        client(address) as ask,
    ):
        np.testing.assert_array_equal(ask(images), class_ids)
    assert len(received) == 2


@pytest.mark.parametrize("attempts", [1, 2])
def test_gives_up_after_the_last_attempt(attempts):
    with (
        prediction_service(grpc.StatusCode.UNAVAILABLE) as (address, received),
        client(address, attempts=attempts) as ask,
        pytest.raises(TransientServingError, match=rf"^{address} is not available \(not now\)\.$"),
    ):
        ask(IMAGES)
    assert len(received) == attempts


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED"])
def test_a_refusal_is_told_at_once(code):
    with (
        prediction_service(grpc.StatusCode[code]) as (address, received),
        client(address) as ask,
        pytest.raises(ServingError, match=f"^{address} answered {code}: not now$"),
    ):
        ask(IMAGES)
    assert len(received) == 1


def test_silence_ends_after_the_timeout_and_is_not_tried_again():
    with (
        prediction_service(1.0) as (address, received),
        client(address, timeout_s=0.1) as ask,
        pytest.raises(ServingError, match=r"did not answer within 0\.1 s") as failure,
    ):
        ask(IMAGES)
    assert not isinstance(failure.value, TransientServingError)
    assert len(received) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (response(logits=tf.make_tensor_proto(1.0)), "without class_ids;.*outputs: logits$"),
        (response(), "Received outputs: nothing$"),
        (response(class_ids=tf.make_tensor_proto(CLASS_IDS[0])), r"\(32, 40\) instead of"),
        (response(class_ids=tf.make_tensor_proto(1.0)), "with float32 of shape"),
        (b"\x0a\xff", "INTERNAL"),
        (response(class_ids=_Bytes(b"\x0a\xff")), "that are not a valid tensor"),
        (
            response(class_ids=_Bytes(b"\x08\x04\x22\x01\x00" + THREE)),
            "that are not a valid tensor",
        ),
    ],
)
def test_a_wrong_answer_is_no_class_ids(answer, message):
    with (
        prediction_service(answer) as (address, _),
        client(address) as ask,
        pytest.raises(ServingError, match=message),
    ):
        ask(IMAGES)
