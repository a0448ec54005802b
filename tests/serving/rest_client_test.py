import json
import socket

import numpy as np
import pytest

from keras_fasterseg.serving.errors import ServingError, TransientServingError
from keras_fasterseg.serving.rest_client import RestClient
from tests.serving.model_server import Answer, model_server
from tests.stand_in import random_images

IMAGES = random_images(2, 32, 40)
CLASS_IDS = np.random.default_rng(1).integers(0, 256, (2, 32, 40), np.uint8)


def answer(value, status=200):
    return Answer(status, json.dumps(value).encode())


GOOD = answer({"predictions": CLASS_IDS.tolist()})


def client(server, **options):
    return RestClient(server.address, "student", **{"attempts": 2, **options})


def test_sends_rows_and_reads_predictions():
    with model_server(GOOD) as server, client(server) as ask:
        class_ids = ask(IMAGES)
    np.testing.assert_array_equal(class_ids, CLASS_IDS)
    assert class_ids.dtype == np.uint8
    (request,) = server.received
    assert request.path == "/v1/models/student:predict"
    body = json.loads(request.body)
    assert body.keys() == {"signature_name", "instances"}
    assert body["signature_name"] == "serving_default"
    np.testing.assert_array_equal(np.array(body["instances"]), IMAGES)


def test_names_the_version():
    with model_server(GOOD) as server, client(server, version=7) as ask:
        ask(IMAGES)
    assert server.received[0].path == "/v1/models/student/versions/7:predict"


@pytest.mark.parametrize("first", [Answer(status) for status in (0, 429, 502, 503, 504)])
def test_comes_again_after_a_failure_of_the_moment(first):
    with model_server(first, GOOD) as server, client(server) as ask:
        np.testing.assert_array_equal(ask(IMAGES), CLASS_IDS)
    assert len(server.received) == 2


def test_gives_up_after_the_last_attempt():
    with model_server(answer({"error": "queue is full"}, 503)) as server, client(server) as ask:
        message = (
            rf"^http://{server.address}/v1/models/student:predict answered 503 Service "
            "Unavailable: queue is full$"
        )
        with pytest.raises(TransientServingError, match=message):
            ask(IMAGES)
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (answer({"error": "Shapes\n differ"}, 400), "answered 400 Bad Request: Shapes differ$"),
        (Answer(404, b"nothing here"), "answered 404 Not Found: nothing here$"),
        (Answer(413), "answered 413 .*: no reason given$"),
        (answer({"error": "x" * 2000}, 500), r"x{300} \.\.\.$"),
    ],
)
def test_a_refusal_is_told_at_once(reply, message):
    with (
        model_server(reply) as server,
        client(server) as ask,
        pytest.raises(ServingError, match=message) as failure,
    ):
        ask(IMAGES)
    assert not isinstance(failure.value, TransientServingError)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Answer(200, b"<html>"), "answered without `predictions`"),
        (answer({"outputs": []}), "answered without `predictions`"),
        (answer([1, 2]), "answered without `predictions`"),
        (answer({"predictions": CLASS_IDS[:, :16].tolist()}), r"shape \(2, 16, 40\) instead of"),
        (answer({"predictions": (CLASS_IDS / 2).tolist()}), "with float64 of shape"),
        (answer({"predictions": [[1], [2, 3]]}), "serves an export of this"),
        (
            answer({"predictions": (CLASS_IDS + np.int64(1000)).tolist()}),
            "an export of this package",
        ),
        (
            answer({"predictions": (-1 * CLASS_IDS.astype(int)).tolist()}),
            "an export of this package",
        ),
    ],
)
def test_a_wrong_answer_is_no_class_ids(reply, message):
    with (
        model_server(reply) as server,
        client(server) as ask,
        pytest.raises(ServingError, match=message),
    ):
        ask(IMAGES)
    assert len(server.received) == 1


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (
        RestClient(address, "student", attempts=2) as ask,
        pytest.raises(TransientServingError, match=rf"^http://{address} cannot be reached \("),
    ):
        ask(IMAGES)


def test_silence_ends_after_the_timeout_and_is_not_tried_again():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with (
            RestClient(address, "student", timeout_s=0.2, attempts=2) as ask,
            pytest.raises(ServingError, match=r"did not answer within 0\.2 s") as failure,
        ):
            ask(IMAGES)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert not isinstance(failure.value, TransientServingError)


def test_an_address_that_is_none():
    with (
        RestClient("http://[oops", "student", attempts=2) as ask,
        pytest.raises(ServingError, match=r"The request to http://\[oops failed"),
    ):
        ask(IMAGES)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (IMAGES.astype(np.float32), {}, "uint8 array"),
        (IMAGES[0], {}, "uint8 array"),
        (random_images(1, 31, 64), {}, "at least 32"),
    ],
)
def test_wrong_images_are_not_sent(images, options, message):
    with (
        model_server(GOOD) as server,
        client(server, **options) as ask,
        pytest.raises(ValueError, match=message),
    ):
        ask(images)
    assert not server.received


@pytest.mark.parametrize("options", [{"timeout_s": 0.0}, {"attempts": 0}, {"version": -1}])
def test_wrong_options(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        RestClient("127.0.0.1:1", "student", **options)
