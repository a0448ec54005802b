import json

import numpy as np

from tests.serving.model_server import Answer, model_server
from tests.tools.run_tool import run_tool, sentence

GOOD = Answer(200, json.dumps({"predictions": np.zeros((1, 32, 32), int).tolist()}).encode())


def load(address, *arguments):
    flags = ("--model=student", "--clients=2", "--seconds=0.3", "--input_size=32x32")
    return run_tool("serving.load", f"--server={address}", *flags, *arguments)


def test_tells_how_long_answers_took():
    with model_server(GOOD) as server:
        finished = load(server.address)
    assert finished.status == 0, finished.stderr
    assert finished.stdout.startswith("2 clients, ")
    assert ", 0 failures, 0 wrong; p50 " in finished.stdout
    assert f": {len(server.received)} answers " in finished.stdout


def test_a_failure_is_not_hidden():
    with model_server(GOOD, Answer(503, b"full")) as server:
        finished = load(server.address)
    assert "requests failed. The first failure: http://127.0.0.1:" in sentence(finished)
    assert finished.stderr.strip().endswith("answered 503 Service Unavailable: full")
