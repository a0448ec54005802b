import json

import numpy as np
import pytest

from keras_fasterseg.serving.errors import ServingError
from keras_fasterseg.serving.triton_client import TritonClient
from tests.serving.model_server import Answer, model_server
from tests.stand_in import random_images

IMAGES = random_images(2, 32, 40)
CLASS_IDS = np.random.default_rng(1).integers(0, 256, (2, 32, 40), np.uint8)
RAW = CLASS_IDS.tobytes()
LENGTH = "Inference-Header-Content-Length"


def output(**changes):
    return {"name": "class_ids", "datatype": "UINT8", "shape": [2, 32, 40], **changes}


def in_bytes(value, data=RAW):
    header = json.dumps({"model_name": "student", "outputs": [value]}).encode()
    return Answer(200, header + data, ((LENGTH, str(len(header))),))


def in_json(value):
    return Answer(200, json.dumps({"outputs": [value]}).encode())


def client(server, **options):
    return TritonClient(server.address, "student", attempts=2, **options)


def test_sends_bytes_and_reads_bytes():
    with model_server(in_bytes(output())) as server, client(server) as ask:
        np.testing.assert_array_equal(ask(IMAGES), CLASS_IDS)
    (request,) = server.received
    assert request.path == "/v2/models/student/infer"
    length = int(request.headers[LENGTH])
    assert request.body[length:] == IMAGES.tobytes()
    assert json.loads(request.body[:length]) == {
        "inputs": [
            {
                "name": "images",
                "datatype": "UINT8",
                "shape": [2, 32, 40, 3],
                "parameters": {"binary_data_size": 2 * 32 * 40 * 3},
            }
        ],
        "outputs": [{"name": "class_ids", "parameters": {"binary_data": True}}],
    }


def test_reads_numbers_of_a_server_without_the_extension():
    reply = in_json(output(data=CLASS_IDS.ravel().tolist()))
    with model_server(reply) as server, client(server, version=3) as ask:
        np.testing.assert_array_equal(ask(IMAGES), CLASS_IDS)
    assert server.received[0].path == "/v2/models/student/versions/3/infer"


def test_a_proxy_puts_a_path_before():
    with (
        model_server(in_bytes(output())) as server,
        TritonClient(f"{server.address}/models/", "student") as ask,
    ):
        np.testing.assert_array_equal(ask(IMAGES), CLASS_IDS)
    assert server.received[0].path == "/models/v2/models/student/infer"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Answer(200, b"no JSON"), "answered without class_ids"),
        (in_bytes(output(name="logits")), "answered without class_ids"),
        (in_bytes(output(datatype="FP32")), "answered without class_ids"),
        (in_bytes(output(), RAW[:-1]), "answered without class_ids"),
        (in_bytes(output(shape=[64, 40])), r"of shape \(64, 40\) instead of"),
        (
            in_json(output(data=(CLASS_IDS + np.int64(500)).ravel().tolist())),
            "serves an export of this package",
        ),
        (Answer(400, b'{"error": "unexpected shape"}'), "400 Bad Request: unexpected shape$"),
    ],
)
def test_what_is_no_answer(reply, message):
    with (
        model_server(reply) as server,
        client(server) as ask,
        pytest.raises(ServingError, match=message),
    ):
        ask(IMAGES)
    assert len(server.received) == 1
