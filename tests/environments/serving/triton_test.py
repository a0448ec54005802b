"""The Triton server of nvidia-pytriton on the repository that the tool has made.

Its wheel has no ONNX Runtime backend, so that the one line `backend: "onnxruntime"` of the config
is replaced, and the model runs by ONNX Runtime in the Python backend.
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
import requests

pytest.importorskip("tritonclient", reason="`make test-serving` makes the environment with it")
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner
from keras_fasterseg.serving.errors import ServingError
from keras_fasterseg.serving.triton_client import TritonClient
from tests.environments.serving.conftest import (
    FREE_MODEL,
    MODEL,
    SIZE,
    assert_answers_as,
    assert_tool_writes_label_maps,
    street_images,
)
from tests.environments.serving.server_process import answers, free_port, server_process
from tests.shared import ROOT

PACKAGES = ROOT / ".venv-triton" / "lib" / "python3.11" / "site-packages"
TRITON = PACKAGES / "pytriton" / "tritonserver"
SHARED_MEMORY_BYTES = 2**28
BACKEND = 'backend: "onnxruntime"\n'
pytestmark = pytest.mark.skipif(
    not TRITON.is_dir(), reason="`make test-serving` makes the environment with nvidia-pytriton"
)


@pytest.fixture(scope="module")
def repository(exports, tmp_path_factory):
    """The prepared repository with the Python backend in place of ONNX Runtime's."""
    copy = tmp_path_factory.mktemp("triton") / "models"
    shutil.copytree(exports.triton, copy)
    for model in (MODEL, FREE_MODEL):
        config = copy / model / "config.pbtxt"
        text = config.read_text()
        assert text.count(BACKEND) == 1
        text = text.replace(BACKEND, 'backend: "python"\n').replace('"model.onnx"', '"model.py"')
        config.write_text(text)
        source = pathlib.Path(__file__).with_name("triton_model.py")
        shutil.copy(source, copy / model / "1/model.py")
    return copy


@pytest.fixture(scope="module")
def backends(tmp_path_factory):
    """The backends with the stub of the Python that `.venv-triton` has."""
    folder = tmp_path_factory.mktemp("backends") / "backends"
    shutil.copytree(TRITON / "backends", folder)
    stub = TRITON / "python_backend_stubs" / "3.11" / "triton_python_backend_stub"
    # It finds its libraries beside the place where it was installed.
    shutil.copy(stub, folder / "python")
    return folder


def triton_command(repository, backends, http_port, grpc_port):
    return [
        str(TRITON / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--disable-auto-complete-config",
        "--http-address=127.0.0.1",
        f"--http-port={http_port}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={grpc_port}",
        "--allow-metrics=false",
        # Growing the region that the Python backend shares with its models can abort the server
        # while it is under load (triton-inference-server/server, issue 8882): it begins large.
        f"--backend-config=python,shm-default-byte-size={SHARED_MEMORY_BYTES}",
    ]


def triton_environment():
    libraries = PACKAGES / "nvidia_pytriton.libs"
    return {
        **os.environ,
        "PATH": f"{ROOT}/.venv-triton/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(PACKAGES),
        "LD_LIBRARY_PATH": str(libraries),
    }


@pytest.fixture(scope="module")
def ports(repository, backends, tmp_path_factory):
    http_port, grpc_port = free_port(), free_port()
    command = triton_command(repository, backends, http_port, grpc_port)
    log = tmp_path_factory.mktemp("triton_log") / "log"
    ready = f"http://127.0.0.1:{http_port}/v2/models/{MODEL}/ready"
    with server_process(command, lambda: answers(ready), log, triton_environment()):
        yield http_port, grpc_port


@pytest.fixture
def server(ports):
    return f"127.0.0.1:{ports[0]}"


@pytest.fixture
def client(server):
    with TritonClient(server, MODEL) as made:
        yield made


def test_of_the_repository_as_it_is_triton_misses_the_backend_alone(exports, backends):
    command = triton_command(exports.triton, backends, free_port(), free_port())
    finished = subprocess.run(
        command, env=triton_environment(), capture_output=True, text=True, timeout=120
    )
    # Errors begin with an E; one of them is about a driver that no machine without a GPU has.
    about_model = [
        line for line in finished.stderr.splitlines() if line.startswith("E") and MODEL in line
    ]
    assert finished.returncode != 0
    (error,) = about_model
    assert "unable to find backend library for backend 'onnxruntime'" in error


def test_class_ids_equal_the_local_runners(client, onnx_runner):
    assert_answers_as(client, onnx_runner)


def test_versions(server, onnx_runner):
    with TritonClient(server, MODEL, version=1) as client:
        assert_answers_as(client, onnx_runner, count=1)
    with (
        TritonClient(server, MODEL, version=2) as client,
        pytest.raises(ServingError, match=r"answered 4.. .*version"),
    ):
        client(street_images())


def test_different_images_share_a_run_and_get_their_own_answers(server, exports):
    runner = OnnxRuntimeRunner(exports.free_onnx)
    # Of two sizes, which Triton may not mix.
    images = [street_images(seed, (6, 10) if seed % 3 else (5, 7)) for seed in range(9)]
    expected = [runner(each) for each in images]
    assert len({each.tobytes() for each in expected}) == len(images)

    def ask(image):
        with TritonClient(server, FREE_MODEL) as client:
            return client(image)

    with concurrent.futures.ThreadPoolExecutor(len(images)) as pool:
        for _ in range(20):
            for answer, own in zip(pool.map(ask, images), expected, strict=True):
                np.testing.assert_array_equal(answer, own)
            statistics = requests.get(f"http://{server}/v2/models/{FREE_MODEL}/stats", timeout=30)
            batches = statistics.json()["model_stats"][0]["batch_stats"]
            if max(int(each["batch_size"]) for each in batches) > 1:
                break
        else:
            pytest.fail("Triton has put no requests together.")
    with TritonClient(server, FREE_MODEL) as client:
        batch = np.concatenate([street_images(seed) for seed in range(3)])
        np.testing.assert_array_equal(client(batch), runner(batch))
        with pytest.raises(ServingError, match="batch-size must be <= 4"):
            client(np.concatenate([batch, batch]))


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_nvidias_client_gets_the_same(ports, onnx_runner, protocol):
    module = {"http": tritonclient.http, "grpc": tritonclient.grpc}[protocol]
    port = dict(zip(("http", "grpc"), ports, strict=True))[protocol]
    images = street_images()
    tensor = module.InferInput("images", images.shape, "UINT8")
    tensor.set_data_from_numpy(images)
    with module.InferenceServerClient(f"127.0.0.1:{port}") as client:
        result = client.infer(MODEL, [tensor])
        np.testing.assert_array_equal(result.as_numpy("class_ids"), onnx_runner(images))
        np.testing.assert_array_equal(result.as_numpy("logits"), onnx_runner.logits(images))


def test_the_tool(server, onnx_runner, tmp_path):
    assert_tool_writes_label_maps("triton", server, onnx_runner, tmp_path)


@pytest.mark.parametrize(
    ("datatype", "shape", "size", "message"),
    [
        ("FP32", [1, *SIZE, 3], 4 * SIZE[0] * SIZE[1] * 3, "data-type"),
        ("UINT8", [1, 1024, 2048, 3], 1024 * 2048 * 3, "unexpected shape"),
        ("UINT8", [1, *SIZE, 3], 1000, "byte size"),
    ],
    ids=["dtype", "too large", "corrupt"],
)
def test_what_is_wrong_gets_an_error_and_the_server_lives_on(
    server, client, onnx_runner, datatype, shape, size, message
):
    header = json.dumps(
        {
            "inputs": [
                {
                    "name": "images",
                    "datatype": datatype,
                    "shape": shape,
                    "parameters": {"binary_data_size": size},
                }
            ]
        }
    ).encode()
    response = requests.post(
        f"http://{server}/v2/models/{MODEL}/infer",
        data=header + bytes(size),
        headers={"Inference-Header-Content-Length": str(len(header))},
        timeout=30,
    )
    assert response.status_code == 400
    assert message in response.json()["error"]
    assert_answers_as(client, onnx_runner, count=1)


def test_wrong_dtypes_and_sizes_over_grpc(ports, client, onnx_runner):
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{ports[1]}") as grpc_client:
        for images in (street_images().astype(np.float32), np.zeros((1, 1024, 512, 3), np.uint8)):
            datatype = {"float32": "FP32", "uint8": "UINT8"}[images.dtype.name]
            tensor = tritonclient.grpc.InferInput("images", images.shape, datatype)
            tensor.set_data_from_numpy(images)
            with pytest.raises(InferenceServerException) as failure:
                grpc_client.infer(MODEL, [tensor])
            assert failure.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert_answers_as(client, onnx_runner, count=1)


def test_a_too_large_image_is_told_by_the_client(client, onnx_runner):
    with pytest.raises(ServingError, match=r"answered 400 Bad Request: .*unexpected shape"):
        client(np.zeros((1, 1024, 512, 3), np.uint8))
    assert_answers_as(client, onnx_runner, count=1)


def test_load(server, onnx_runner, assert_bears_load):
    def make_client():
        return TritonClient(server, MODEL, attempts=1)

    size = "x".join(map(str, SIZE))
    assert_bears_load(f"Triton, KServe v2 over HTTP, {size}", make_client, onnx_runner)
