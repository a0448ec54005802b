"""A real kserve server, whose protocol of version 1 is TensorFlow Serving's row format."""

import importlib.util
import json
import pathlib
import re
import sys

import numpy as np
import pytest
import requests

from keras_fasterseg.serving.errors import ServingError
from keras_fasterseg.serving.rest_client import RestClient
from tests.environments.serving.conftest import (
    MODEL,
    SIZE,
    assert_answers_as,
    assert_tool_writes_label_maps,
    street_images,
)
from tests.environments.serving.server_process import answers, free_port, server_process

# Not imported here: its messages of protocol version 2 clash with those of tritonclient.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("kserve") is None,
    reason="`make test-serving` makes the environment with kserve",
)

MAXIMUM_PIXELS = 512 * 512


@pytest.fixture(scope="module")
def server(exports, tmp_path_factory):
    port = free_port()
    script = pathlib.Path(__file__).with_name("kserve_server.py")
    model = exports.tensorflow_serving / MODEL / "1"
    command = [sys.executable, str(script), str(model), MODEL, str(port), str(MAXIMUM_PIXELS)]
    log = tmp_path_factory.mktemp("kserve") / "log"
    with server_process(command, lambda: answers(f"http://127.0.0.1:{port}/v1/models"), log):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def client(server):
    with RestClient(server, MODEL) as made:
        yield made


def test_class_ids_equal_the_local_runners(client, saved_model_runner):
    assert_answers_as(client, saved_model_runner)


def test_batches_and_other_sizes(client, saved_model_runner):
    images = np.random.default_rng(0).integers(0, 256, (2, 70, 45, 3), np.uint8)
    np.testing.assert_array_equal(client(images), saved_model_runner(images))


def test_the_tool(server, saved_model_runner, tmp_path):
    assert_tool_writes_label_maps("rest", server, saved_model_runner, tmp_path)


def _instances(value):
    return json.dumps({"instances": value}).encode()


ROWS = street_images().tolist()
RAGGED = [ROWS[0], ROWS[0][:-1]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (_instances((street_images() / 255).tolist()), "images must be uint8, they are float64"),
        (_instances((street_images().astype(int) + 300).tolist()), "images must be uint8"),
        (_instances(RAGGED), "images of one size"),
        (_instances(ROWS)[:1000], "unexpected end of data"),
        (_instances(np.zeros((1, 16, 64, 3), int).tolist()), "must be at least 32"),
    ],
    ids=["dtype", "range", "ragged", "truncated", "small"],
)
def test_what_is_wrong_gets_an_error_and_the_server_lives_on(
    server, client, saved_model_runner, body, message
):
    url = f"http://{server}/v1/models/{MODEL}:predict"
    response = requests.post(
        url, data=body, headers={"Content-Type": "application/json"}, timeout=30
    )
    assert response.status_code == 400
    assert re.search(message, response.json()["error"])
    assert_answers_as(client, saved_model_runner, count=1)


def test_a_too_large_image_is_told_by_the_client(client, saved_model_runner):
    with pytest.raises(ServingError, match="answered 400 Bad Request: more than 262144 pixels"):
        client(np.zeros((1, 1024, 512, 3), np.uint8))
    assert_answers_as(client, saved_model_runner, count=1)


def test_a_model_that_is_not_there(server):
    with (
        RestClient(server, "nobody") as client,
        pytest.raises(ServingError, match="answered 404 Not Found"),
    ):
        client(street_images())


def test_load(server, saved_model_runner, assert_bears_load):
    def make_client():
        return RestClient(server, MODEL, attempts=1)

    size = "x".join(map(str, SIZE))
    assert_bears_load(f"REST, kserve, {size}", make_client, saved_model_runner)
