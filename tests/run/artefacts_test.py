"""One door to all runners: exports, trained networks, genotypes."""

import pathlib
import sys

import numpy as np
import pytest

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.run import artefacts
from keras_fasterseg.run.artefacts import open_artefact
from keras_fasterseg.run.network_export import export_network
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from tests.stand_in import assert_same_classes, random_images

CELLS = (
    CellGenotype(0, 8, "conv", 1, 0.5),
    CellGenotype(1, 8, "skip", 2, 0.5),
    CellGenotype(2, 16, "conv", 1, 0.5),
)
GENOTYPE = FasterSegGenotype("fasterseg", 2, 4, 0.5, 0.5, (BranchGenotype(16, CELLS),))
SIZE = (96, 128)
OWN_RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino", "litert": "litert"}
FORMATS = {runtime: format for format, runtime in OWN_RUNTIMES.items()}
# Only TensorFlow writes all formats.
EXPORTS = pytest.mark.backends("tensorflow")
SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "litert": ".tflite"}


@pytest.fixture(scope="module")
def network():
    network = FasterSegNetwork(GENOTYPE, 3, auxiliary_heads=True)
    generator = np.random.default_rng(0)
    network.set_weights([generator.uniform(-0.5, 0.5, w.shape) ** 2 for w in network.weights])
    return network


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("artefacts")
    network.save(folder / "network.keras")
    GENOTYPE.save(folder / "genotype.json")
    export_network(network, folder / "saved_model")
    for format in OWN_RUNTIMES:
        settings = ExportSettings(format, input_size=SIZE, output="both")
        export_network(network, folder / format, settings=settings)
    return folder


def assert_same(runner, network):
    """The logits are Keras's but for the order in which float32 products are added up."""
    images = random_images(1, *SIZE)
    keras_runner = KerasRunner(network.without_auxiliary_heads(), IMAGENET_MEAN, IMAGENET_STD)
    expected = keras_runner.logits(images)
    scale = np.abs(expected).max()
    assert np.ptp(expected) > 1e-3 * scale
    np.testing.assert_allclose(runner.logits(images), expected, atol=1e-5 * scale)
    assert_same_classes(runner(images), expected, noise=2e-5 * scale)


@EXPORTS
def test_a_part_of_an_export_leads_to_its_folder(folder):
    part = folder / "saved_model" / "saved_model.pb"
    with pytest.raises(
        ValueError, match=r"saved_model\.pb is part of .*: pass the folder instead\."
    ):
        open_artefact(part)


@EXPORTS
@pytest.mark.parametrize("format", OWN_RUNTIMES)
def test_an_export_runs_in_its_own_runtime(folder, network, format):
    runner = open_artefact(folder / format)
    facts = runner.describe()
    assert facts["runtime"] == OWN_RUNTIMES[format]
    assert facts["genotype"] == GENOTYPE.id
    assert runner.metadata["genotype"] == GENOTYPE.to_json()
    assert_same(runner, network)
    file = open_artefact(folder / format / f"model{SUFFIXES[format]}")
    assert file.describe() == facts


@EXPORTS
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "litert"])
def test_zoomed_cells_return_to_their_size(tmp_path, runtime):
    """From 7x15 pixels at 1/32 to 3x7 and back, which are no whole multiples."""
    cells = (
        CellGenotype(0, 8, "conv", 2, 0.5),
        CellGenotype(1, 16, "conv_downup", 2, 0.5),
        CellGenotype(2, 32, "conv_2x_downup", 1, 0.5),
    )
    genotype = FasterSegGenotype("fasterseg", 2, 4, 0.5, 0.5, (BranchGenotype(32, cells),))
    network, size = FasterSegNetwork(genotype, 3), (224, 480)
    settings = ExportSettings(FORMATS[runtime], input_size=size)
    export_network(network, tmp_path / "export", settings=settings)
    images = random_images(1, *size)
    keras_runner = KerasRunner(network, IMAGENET_MEAN, IMAGENET_STD)
    expected = keras_runner.logits(images)
    ids = open_artefact(tmp_path / "export")(images)
    assert_same_classes(ids, expected, noise=2e-5 * np.abs(expected).max())


@EXPORTS
@pytest.mark.parametrize("runtime", [None, "saved_model", "xla"])
def test_a_saved_model_runs_in_tensorflow(folder, network, runtime):
    runner = open_artefact(str(folder / "saved_model"), runtime)
    assert runner.describe()["runtime"] == (runtime or "saved_model")
    assert runner.describe()["genotype"] == GENOTYPE.id
    assert_same(runner, network)


@EXPORTS
def test_openvino_runs_onnx_too(folder, network):
    runner = open_artefact(folder / "onnx", "openvino")
    assert runner.describe()["runtime"] == "openvino"
    assert_same(runner, network)


@EXPORTS
@pytest.mark.parametrize(
    "runtime", [None, "saved_model", "xla", "onnxruntime", "openvino", "litert"]
)
def test_a_trained_network_is_converted_on_the_way(folder, network, runtime):
    runner = open_artefact(folder / "network.keras", runtime, input_size=SIZE)
    facts = runner.describe()
    assert facts["runtime"] == (runtime or "keras")
    assert facts["genotype"] == GENOTYPE.id
    assert_same(runner, network)


@EXPORTS
def test_the_folder_of_a_conversion_goes_with_the_runner(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(artefacts.tempfile, "tempdir", str(tmp_path))
    runner = open_artefact(folder / "network.keras", "litert", input_size=SIZE)
    (temporary,) = tmp_path.iterdir()
    runner.load()
    assert temporary.is_dir()
    del runner
    assert not temporary.exists()
    with pytest.raises(ValueError, match="--input_size"):
        open_artefact(folder / "network.keras", "litert")
    assert list(tmp_path.iterdir()) == []


def test_a_genotype_is_built_with_the_same_weights_every_time(tmp_path):
    GENOTYPE.save(tmp_path / "genotype.json")
    images = random_images(1, *SIZE)
    first = open_artefact(tmp_path / "genotype.json", num_classes=4)
    second = open_artefact(str(tmp_path / "genotype.json"), num_classes=4)
    logits = first.logits(images)
    assert logits.shape == (1, *SIZE, 4)
    np.testing.assert_array_equal(second.logits(images), logits)
    assert first.describe()["genotype"] == GENOTYPE.id


def test_a_preset_is_a_genotype():
    runner = open_artefact("fasterseg_student")
    assert runner.describe()["genotype"] == artefacts.resolve_genotype("fasterseg_student").id


@EXPORTS
def test_outputs_of_a_conversion_can_be_chosen(folder):
    runner = open_artefact(
        folder / "network.keras", "litert", input_size=SIZE, batch_size=2, outputs="class_ids"
    )
    assert runner.outputs == ("class_ids",)
    assert runner.batch_size == 2
    assert runner.input_size == SIZE


@EXPORTS
@pytest.mark.parametrize(
    ("artefact", "runtime", "message"),
    [
        (
            "saved_model",
            "onnxruntime",
            "runs onnx, but .* is saved_model. Exports are not converted",
        ),
        ("onnx", "litert", "runs litert, but .* is onnx. Exports are not converted"),
        ("litert", "keras", "runs keras, but .* is litert. Exports are not converted"),
        ("onnx", "tvm", "Unknown runtime 'tvm'; choose one of"),
    ],
)
def test_what_a_runtime_does_not_run_is_refused(folder, artefact, runtime, message):
    with pytest.raises(ValueError, match=message):
        open_artefact(folder / artefact, runtime)


@EXPORTS
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tftrt", "TF-TRT needs TensorFlow 2.17.1"),
        ("tensorrt", "Building an engine needs NVIDIA's tensorrt"),
        ("tensorrt_rtx", "Building an engine needs TensorRT-RTX"),
    ],
)
def test_networks_are_converted_for_nvidia_on_the_way(folder, name, message, monkeypatch):
    """Up to what is not installed here."""
    monkeypatch.setattr(artefacts, "check_runtime", lambda runtime: registry_runtime(name))
    for module in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RuntimeNotInstalledError, match=message):
        open_artefact(folder / "network.keras", name, input_size=SIZE)


def registry_runtime(name):
    from keras_fasterseg.runtimes.registry import RUNTIMES

    return RUNTIMES[name]


@pytest.mark.parametrize("name", ["gone", "gone.keras", "gone.onnx", "gone.json"])
def test_what_is_not_there_is_named(tmp_path: pathlib.Path, name):
    with pytest.raises(FileNotFoundError, match=name):
        open_artefact(tmp_path / name)
