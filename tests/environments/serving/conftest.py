"""One exported student, prepared by the tool, and the local runners' outputs for two images."""

import dataclasses
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.run.network_export import export_network
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner
from keras_fasterseg.serving.client import SegmentationClient
from keras_fasterseg.serving.load_generator import generate_load
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.registry import resolve_genotype
from tests.shared import ROOT

MODEL = "student"
# The same network for every number and size of images.
FREE_MODEL = "free"
SIZE = (96, 160)
NUM_CLASSES = 11
CLIENTS = 8
LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "60"))

_reports = pytest.StashKey[list[str]]()


def pytest_configure(config):
    config.stash[_reports] = []


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.section("load")
    for line in config.stash[_reports]:
        terminalreporter.line(line)


def run_tool(name: str, *arguments: str) -> subprocess.CompletedProcess:
    """`python -m tools.<name> <arguments>` in this environment."""
    command = [sys.executable, "-m", f"tools.{name}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def street_images(seed: int = 0, areas: tuple[int, int] = (6, 10)) -> np.ndarray:
    """`(1, height, width, 3)` uint8 with areas of different colours, which a network tells apart.

    The default is of `SIZE`; an area has 16 x 16 pixels.
    """
    generator = np.random.default_rng(seed)
    height, width = areas
    noise_size = (1, 16 * height, 16 * width, 3)
    areas = generator.integers(0, 256, (1, height, width, 3), np.uint8)
    noise = generator.integers(0, 30, noise_size, np.uint8)
    return np.kron(areas, np.ones((1, 16, 16, 1), np.uint8)) // 2 + noise


@dataclasses.dataclass(frozen=True)
class Exports:
    """The folders of the exports and of the repositories that the tool made of them."""

    saved_model: pathlib.Path
    onnx: pathlib.Path
    free_onnx: pathlib.Path
    tensorflow_serving: pathlib.Path
    triton: pathlib.Path


@pytest.fixture(scope="session")
def exports(tmp_path_factory) -> Exports:
    folder = tmp_path_factory.mktemp("exports")
    keras.utils.set_random_seed(0)
    network = FasterSegNetwork(resolve_genotype("fasterseg_student"), NUM_CLASSES)
    _spread(network)
    names = ("saved_model", "onnx", "free_onnx", "tf_serving", "triton")
    made = Exports(*(folder / name for name in names))
    export_network(network, made.saved_model)
    settings = ExportSettings("onnx", input_size=SIZE, output="both")
    export_network(network, made.onnx, settings=settings)
    export_network(network, made.free_onnx, settings=ExportSettings("onnx", batch_size=0))
    batching = ["--max_batch_size=4", "--batch_timeout_ms=50"]
    for export, repository, name, more in (
        (made.saved_model, made.tensorflow_serving, MODEL, ["--warmup_size=96x160"]),
        (made.onnx, made.triton, MODEL, []),
        (made.free_onnx, made.triton, FREE_MODEL, batching),
    ):
        finished = run_tool(
            "serving.prepare",
            f"--artefact={export}",
            f"--repository={repository}",
            f"--name={name}",
            *more,
        )
        assert finished.returncode == 0, finished.stderr
    return made


def _spread(network: keras.Model) -> None:
    """Random weights prefer one class everywhere: without the mean of the logits they do not."""
    model = network.without_auxiliary_heads()
    logits = np.asarray(model((street_images().astype(np.float32) - 128) / 64, training=False))
    (bias,) = [each for each in model.weights[::-1] if each.shape == (NUM_CLASSES,)][:1]
    bias.assign(bias - logits.mean(axis=(0, 1, 2)))


@pytest.fixture(scope="session")
def saved_model_runner(exports) -> Runner:
    return SavedModelRunner(exports.saved_model)


@pytest.fixture(scope="session")
def onnx_runner(exports) -> Runner:
    return OnnxRuntimeRunner(exports.onnx)


def assert_answers_as(client: SegmentationClient, runner: Runner, count: int = 3) -> None:
    """The server gives exactly the class ids of the local runner, and they are no constant."""
    for seed in range(count):
        expected = runner(street_images(seed))
        assert len(np.unique(expected)) > 2
        np.testing.assert_array_equal(client(street_images(seed)), expected)


def assert_tool_writes_label_maps(
    protocol: str, server: str, runner: Runner, folder: pathlib.Path
) -> None:
    """The tool fetches the label maps of a folder; one corrupt image has its sentence."""
    (folder / "in").mkdir()
    for seed in range(2):
        Image.fromarray(street_images(seed)[0]).save(folder / "in" / f"{seed}.png")
    cut = (folder / "in" / "0.png").read_bytes()[:200]
    (folder / "in" / "corrupt.png").write_bytes(cut)
    finished = run_tool(
        "serving.client",
        f"--server={server}",
        f"--protocol={protocol}",
        f"--model={MODEL}",
        f"--images={folder}/in",
        f"--output={folder}/out",
        "--dataset=camvid",
    )
    assert finished.returncode == 1
    assert f"client.py: {folder}/in/corrupt.png is damaged" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        *("0.png", "0_overlay.png", "1.png", "1_overlay.png")
    ]
    for seed in range(2):
        written = np.asarray(Image.open(folder / "out" / f"{seed}.png"))
        np.testing.assert_array_equal(written, runner(street_images(seed))[0])


@pytest.fixture
def assert_bears_load(request):
    """Eight clients send requests for a minute; all answers must be right. Reports the result."""

    def check(server_name, make_client, runner):
        images = street_images()
        result = generate_load(
            make_client,
            images,
            clients=CLIENTS,
            seconds=LOAD_SECONDS,
            expected=runner(images),
        )
        request.config.stash[_reports].append(f"{server_name}: {result.text()}")
        assert not result.failures, result.failures[0]
        assert result.differing == 0
        assert len(result.latencies_ms) >= CLIENTS

    return check
