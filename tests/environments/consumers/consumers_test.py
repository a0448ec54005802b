"""ONNX files of this project in programs that do not use this library."""

import functools
import json
import os
import pathlib
import subprocess
from collections.abc import Callable

import keras
import numpy as np
import pytest

from keras_fasterseg.export.options import CalibrationImages
from keras_fasterseg.run.network_export import export_network
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.registry import load_preset
from tests.stand_in import random_images

HERE = pathlib.Path(__file__).parent
PYTHON = os.path.abspath(os.environ["CONSUMERS_PYTHON"])
NODE_MODULES = os.path.abspath(os.environ["CONSUMERS_NODE_MODULES"])
CLASSES = 19

# Shares of the largest logit: three times the noise of float32 sums in another order, which is
# 4.6e-4 at logits up to 5.5 in this network; eight times the rounding of a float16; 13 of the steps
# of int8.
FP32, FP16, INT8 = 3 * 4.6e-4 / 5.5, 8 * 2.0**-11, 13 / 256

Answers = dict[str, np.ndarray]


@functools.cache
def network() -> FasterSegNetwork:
    """The published student with random weights."""
    keras.utils.set_random_seed(0)
    return FasterSegNetwork(load_preset("fasterseg_student"), CLASSES)


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Callable[..., pathlib.Path]:
    """Makes the ONNX file of these settings, each once."""

    @functools.cache
    def export(**options) -> pathlib.Path:
        folder = tmp_path_factory.mktemp("export") / "onnx"
        calibration = None
        if options.get("precision") == "int8":
            images = [random_images(1, *options["input_size"], seed=seed) for seed in range(4)]
            calibration = CalibrationImages(images, "minmax", progress=False)
        settings = ExportSettings("onnx", **options)
        return export_network(network(), folder, settings=settings, calibration=calibration) / (
            "model.onnx"
        )

    return export


def run(*command: object, **variables: str) -> str:
    """Last line of its standard output: the version of the runtime."""
    finished = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, env={**os.environ, **variables}
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()[-1]


def by_python(
    script: str, version: str, model: pathlib.Path, images: np.ndarray, folder
) -> Answers:
    np.save(folder / "images.npy", images)
    output = folder / "output.npz"
    assert run(PYTHON, HERE / script, model, folder / "images.npy", output) == version
    return dict(np.load(output))


def by_node(model: pathlib.Path, images: np.ndarray, folder: pathlib.Path) -> Answers:
    images.tofile(folder / "images.bin")
    dims = ",".join(map(str, images.shape))
    command = ("node", HERE / "node_consumer.js", model, folder / "images.bin", dims, folder)
    assert run(*command, NODE_PATH=NODE_MODULES) == "1.30.0"
    facts = json.loads((folder / "facts.json").read_text())
    return {
        name: np.fromfile(folder / f"{name}.bin", fact["type"]).reshape(fact["dims"])
        for name, fact in facts.items()
    }


CONSUMERS = {
    "onnxruntime": functools.partial(by_python, "onnxruntime_consumer.py", "1.17.3"),
    "node": by_node,
    "opencv": functools.partial(by_python, "opencv_consumer.py", "4.11.0"),
}


@functools.cache
def keras_logits(*shape: int) -> np.ndarray:
    runner = KerasRunner(network().without_auxiliary_heads(), network().mean, network().std)
    return runner.logits(random_images(*shape))


def assert_equals_keras(answers: Answers, shape: tuple[int, ...], noise: float) -> None:
    """Logits within `noise` of the largest, and the classes wherever that decides nothing."""
    expected = keras_logits(*shape)
    noise *= float(np.abs(expected).max())
    if "logits" in answers:
        assert answers["logits"].shape == expected.shape
        np.testing.assert_allclose(answers["logits"], expected, atol=noise)
    class_ids = answers["class_ids"]
    assert class_ids.shape == shape
    second, best = np.moveaxis(np.sort(expected, axis=-1)[..., -2:], -1, 0)
    clear = best - second > 2 * noise
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(class_ids[clear], expected.argmax(axis=-1)[clear])


@pytest.mark.parametrize("consumer", CONSUMERS)
@pytest.mark.parametrize("size", [(128, 256), (96, 150)])
def test_one_size(consumer, size, exported, tmp_path):
    """A size of multiples of 32, and one that the graph pads and crops."""
    model = exported(input_size=size, output="both")
    answers = CONSUMERS[consumer](model, random_images(1, *size), tmp_path)
    assert_equals_keras(answers, (1, *size), FP32)


@pytest.mark.parametrize("consumer", ["onnxruntime", "node"])
@pytest.mark.parametrize("shape", [(1, 96, 128), (3, 70, 90)])
def test_free_sizes_and_batches(consumer, shape, exported, tmp_path):
    model = exported(batch_size=0, output="both")
    answers = CONSUMERS[consumer](model, random_images(*shape), tmp_path)
    assert_equals_keras(answers, shape, FP32)


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_half_precision(consumer, exported, tmp_path):
    model = exported(input_size=(128, 256), output="both", precision="fp16")
    answers = CONSUMERS[consumer](model, random_images(1, 128, 256), tmp_path)
    assert_equals_keras(answers, (1, 128, 256), FP16)


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_int8(consumer, exported, tmp_path):
    """Outputs of the same file in the current ONNX Runtime, which the export's proof uses."""
    model = exported(input_size=(128, 256), precision="int8")
    images = random_images(1, 128, 256)
    answers = CONSUMERS[consumer](model, images, tmp_path)
    differ = answers["class_ids"] != OnnxRuntimeRunner(model)(images)
    # Kernels of other versions round halves differently, which decides where two classes are
    # nearer than a few of 256 steps, as random weights leave many.
    logits = keras_logits(1, 128, 256)
    second, best = np.moveaxis(np.sort(logits, axis=-1)[..., -2:], -1, 0)
    assert not differ[best - second > INT8 * np.abs(logits).max()].any()
    assert differ.mean() < 0.02
