"""Which options go with which format, and the proof; what is written is tested with the writers."""

import dataclasses
import json
import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.classes import Classes
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.folder import Folder
from keras_fasterseg.export import proof as proof_module
from keras_fasterseg.jobs import export as export_module
from keras_fasterseg.jobs.export import export
from keras_fasterseg.metrics.confusion_matrix import confusion_of
from keras_fasterseg.metrics.mean_iou import iou_from_confusion
from keras_fasterseg.run.artefacts import open_artefact
from keras_fasterseg.run.proof_images import labelled_images
from keras_fasterseg.runtimes.artefact_format import find_artefact
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.settings.export import FORMATS, ExportSettings
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from tests.stand_in import random_images

NOWHERE = pathlib.Path("gone.keras")
CELLS = (CellGenotype(0, 8, "conv", 1, 1.0), CellGenotype(1, 8, "conv_downup", 1, 1.0))
GENOTYPE = FasterSegGenotype("fasterseg", 2, 4, 1.0, 1.0, (BranchGenotype(8, CELLS),))
SIZE = (96, 128)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "network.keras"
    network = FasterSegNetwork(GENOTYPE, 11)
    generator = np.random.default_rng(0)
    network.set_weights([generator.uniform(-0.5, 0.5, w.shape) ** 2 for w in network.weights])
    network.save(path)
    return path


def test_the_formats():
    assert (
        *("saved_model", "tftrt", "onnx", "openvino", "litert", "tensorrt", "tensorrt_rtx"),
    ) == FORMATS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "coreml"}, "format must be one of saved_model, tftrt"),
        ({"precision": "fp8"}, "precision must be one of fp32, fp16, int8"),
        ({"batch_size": 2}, "accepts any batch size.*leave --batch_size"),
        ({"format": "litert", "batch_size": 0}, "litert needs a fixed batch size"),
        ({"format": "tensorrt", "batch_size": 0}, "Only saved_model, onnx, openvino"),
        ({"format": "tftrt", "batch_size": 0}, r"Received: --batch_size=0"),
        ({"batch_size": -1}, "batch_size must be at least 0"),
        ({"format": "onnx", "precision": "int8"}, "int8 is calibrated for one image size"),
        ({"output": "logits"}, "has both outputs"),
        ({"format": "tftrt", "output": "logits"}, "both outputs, with TF-TRT too"),
        ({"precision": "fp16"}, "SavedModel computes in fp32.*--precision=fp16"),
        ({"format": "onnx", "input_size": (16, 64)}, "input_size must be at least 32"),
    ],
)
def test_options_that_do_not_go_with_the_format_are_refused_at_once(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export(NOWHERE, tmp_path / "1", ExportSettings(**options))
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.keras"):
        export(NOWHERE, tmp_path / "1")


@pytest.mark.parametrize(
    "settings",
    [
        ExportSettings(proof_images=2),
        ExportSettings("onnx", input_size=SIZE, proof_images=2),
        ExportSettings("onnx", proof_images=2),
        ExportSettings("openvino", input_size=SIZE, batch_size=2, proof_images=3),
        ExportSettings("litert", input_size=SIZE, output="both", proof_images=2),
        ExportSettings(input_size=SIZE, batch_size=0, proof_images=5),
        ExportSettings("onnx", input_size=SIZE, batch_size=0, proof_images=5),
        ExportSettings("openvino", batch_size=0, proof_images=3),
    ],
    ids=[
        *("saved_model", "onnx", "onnx_of_any_size", "openvino_batch", "litert_both"),
        *("saved_model_of_one_size", "onnx_of_any_batch", "openvino_of_any_batch"),
    ],
)
def test_the_proof_is_in_the_manifest(network, camvid, tmp_path, settings):
    proof = export(network, tmp_path / "1", settings, camvid, command="the command", progress=False)
    metadata = find_artefact(tmp_path / "1").metadata
    assert metadata["proof"] == proof.to_json()
    assert metadata["command"] == "the command"
    assert metadata["genotype"]["id"] == GENOTYPE.id
    assert metadata["class_names"] == list(camvid.class_names)
    assert metadata["colors"] == camvid.palette.tolist()
    assert proof.images == settings.proof_images
    assert proof.worst_equal_labels <= proof.equal_labels
    assert (proof.miou_native is None) == (settings.input_size is None)
    assert proof.of == "camvid val"
    assert proof.equal_labels >= 0.9999
    # The order in which float32 products are added up.
    assert proof.logits_difference <= 1e-5 * proof.logits_size
    assert proof.miou == pytest.approx(proof.miou_keras, abs=1e-4)
    # The digest is of what was proven.
    files = metadata["files"]
    assert find_artefact(tmp_path / "1").digest()
    assert files


@pytest.mark.parametrize(
    "settings",
    [ExportSettings(proof_images=1), ExportSettings("onnx", input_size=SIZE, output="both")],
    ids=["saved_model", "onnx"],
)
def test_the_normalisation_of_the_network_is_in_the_export(tmp_path, settings):
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    network = FasterSegNetwork(GENOTYPE, 11, mean=mean, std=std)
    network.save(tmp_path / "network.keras")
    export(tmp_path / "network.keras", tmp_path / "1", settings, progress=False)
    metadata = find_artefact(tmp_path / "1").metadata
    assert (metadata["mean"], metadata["std"]) == (list(mean), list(std))
    images = random_images(1, *SIZE)
    expected = np.asarray(network((images / 255 - mean) / std))
    scale = np.abs(expected).max()
    for artefact in (tmp_path / "1", tmp_path / "network.keras"):
        logits = open_artefact(artefact).logits(images)
        np.testing.assert_allclose(logits, expected, atol=1e-5 * scale)


def test_the_classes_of_the_network_are_in_an_onnx_file(tmp_path):
    onnx = pytest.importorskip("onnx")
    classes = Classes(("grass", "path", "ball"), ((0, 128, 0), (9, 9, 9), (255, 0, 0)))
    FasterSegNetwork(GENOTYPE, 3, classes=classes).save(tmp_path / "network.keras")
    settings = ExportSettings("onnx", batch_size=0, proof_images=0)
    export(tmp_path / "network.keras", tmp_path / "1", settings, progress=False)
    properties = onnx.load(tmp_path / "1" / "model.onnx").metadata_props
    own = {entry.key: json.loads(entry.value) for entry in properties}
    assert own["class_names"] == ["grass", "path", "ball"]
    assert own["colors"] == [[0, 128, 0], [9, 9, 9], [255, 0, 0]]
    assert own["genotype"] == GENOTYPE.to_json()
    assert find_artefact(tmp_path / "1").metadata["colors"] == own["colors"]


def test_without_a_split_to_prove_it_on(network, camvid, tmp_path):
    settings = ExportSettings(input_size=SIZE, proof_images=0)
    export(network, tmp_path / "1", settings, camvid, val_split="gone", progress=False)
    with pytest.raises(ValueError, match="has no split 'gone'"):
        export(network, tmp_path / "2", val_split="gone", source=camvid, progress=False)


def test_without_a_data_set_scenes_are_drawn(network, tmp_path):
    settings = ExportSettings(proof_images=1)
    proof = export(network, tmp_path / "1", settings, progress=False)
    assert (proof.of, proof.images, proof.miou) == ("drawn street scenes", 1, None)
    assert export(network, tmp_path / "2", ExportSettings(proof_images=0)) is None
    assert "proof" not in find_artefact(tmp_path / "2").metadata


def test_int8_of_real_images(network, camvid, tmp_path, caplog):
    settings = ExportSettings(
        "onnx",
        "int8",
        SIZE,
        calibration_images=4,
        calibration_method="minmax",
        proof_images=2,
        allow_accuracy_drop=True,
    )
    proof = export(network, tmp_path / "1", settings, camvid, progress=False)
    metadata = json.loads((tmp_path / "1" / "manifest.json").read_text())
    assert metadata["precision"] == "int8"
    assert metadata["quantization"]["images"] == 3
    assert "calibrated on only 4 images" in caplog.text
    assert proof.logits_difference is None
    # The same by hand.
    own, reference = open_artefact(tmp_path / "1"), open_artefact(network)
    pairs = [
        (own(each.image[None]), reference(each.image[None]))
        for each in labelled_images(camvid, "val", 2, SIZE)
    ]
    assert proof.equal_labels == np.mean([a == b for a, b in pairs])
    assert np.mean([a != b for a, b in pairs]) > 0, "int8 that changes nothing is float32"
    with pytest.raises(ValueError, match="int8 needs real images for its calibration"):
        export(network, tmp_path / "2", settings)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_int8_in_batches_of_different_images(network, camvid, tmp_path):
    settings = ExportSettings(
        "onnx",
        "int8",
        SIZE,
        batch_size=2,
        calibration_images=7,
        calibration_method="minmax",
        proof_images=3,
        allow_accuracy_drop=True,
    )
    proof = export(network, tmp_path / "1", settings, camvid, progress=False)
    # Three batches, the odd image left out; one judges.
    metadata = json.loads((tmp_path / "1" / "manifest.json").read_text())
    assert metadata["quantization"]["images"] == 4
    assert proof.images == 3
    few = dataclasses.replace(settings, calibration_images=3)
    with pytest.raises(ValueError, match=r"--batch_size=2, at least 4 images\. Received: 3"):
        export(network, tmp_path / "2", few, camvid, progress=False)


def test_a_stretched_size_is_warned_of_and_its_cost_is_seen(network, camvid, tmp_path, caplog):
    swapped = ExportSettings(input_size=(128, 96), proof_images=2)
    proof = export(network, tmp_path / "1", swapped, camvid, progress=False)
    assert "--input_size=128x96 (height x width) makes images of camvid val" in caplog.text
    assert proof.miou_native is not None
    # By hand: Keras on the images as they are.
    reference, total = open_artefact(network), np.zeros((11, 11), np.int64)
    for each in labelled_images(camvid, "val", 2):
        total += confusion_of(each.labels, reference(each.image[None])[0], 11)
    assert proof.miou_native == iou_from_confusion(total).mean
    caplog.clear()
    export(network, tmp_path / "2", ExportSettings(input_size=SIZE, proof_images=0), camvid)
    assert "height x width" not in caplog.text


@pytest.mark.parametrize(
    ("format", "message"),
    [
        ("tftrt", "TF-TRT needs TensorFlow 2.17.1"),
        ("tensorrt", "needs NVIDIA's tensorrt"),
        ("tensorrt_rtx", "needs TensorRT-RTX: pip install"),
    ],
)
def test_what_is_not_installed_is_named(network, tmp_path, format, message, monkeypatch):
    for module in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, module, None)
    settings = ExportSettings(format, input_size=SIZE)
    with pytest.raises(RuntimeNotInstalledError, match=message):
        export(network, tmp_path / "1", settings, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def engines(monkeypatch):
    """TensorRT-RTX as far as it builds, on a machine without its GPU."""
    for module in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(module)
    from tests.export.fake_tensorrt_builder import FakeTensorRtBuilder

    fake = FakeTensorRtBuilder("1.7.1", rtx=True)
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)


@pytest.mark.usefixtures("engines")
def test_logits_of_the_onnx_that_stands_in_for_an_engine_are_compared(network, tmp_path):
    settings = ExportSettings("tensorrt_rtx", "fp32", SIZE, proof_images=2)
    proof = export(network, tmp_path / "1", settings, progress=False)
    assert proof.by == "onnxruntime, of the ONNX that the engine was built of"
    assert find_artefact(tmp_path / "1").metadata["outputs"] == ["class_ids"]
    assert 0 < proof.logits_difference <= 1e-5 * proof.logits_size
    assert "logits differ by" in proof.sentence()
    # Logits of this network are too large for float16, which labels do not show.
    assert proof.logits_size > float(np.finfo(np.float16).max)
    half = dataclasses.replace(settings, precision="fp16")
    with pytest.raises(ValueError, match=r"the Keras model: .* a logit differs by inf"):
        export(network, tmp_path / "2", half, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


@pytest.mark.usefixtures("engines")
def test_an_engine_that_runs_is_judged_by_its_own_outputs(network, tmp_path, monkeypatch):
    export(network, tmp_path / "onnx", ExportSettings("onnx", "fp32", SIZE, proof_images=0))
    opened = []

    def run_engine(path):
        opened.append(find_artefact(path).format)
        return open_artefact(tmp_path / "onnx")

    monkeypatch.setattr(export_module, "_open", run_engine)
    settings = ExportSettings("tensorrt_rtx", "fp16", SIZE, proof_images=2)
    proof = export(network, tmp_path / "1", settings, progress=False)
    assert opened == ["tensorrt_rtx"]
    assert proof.logits_difference is None
    assert proof.sentence().endswith("logits were not compared.")


def test_an_export_that_fails_its_proof_is_not_written(network, camvid, tmp_path, monkeypatch):
    settings = ExportSettings(proof_images=1)
    export(network, tmp_path / "1", settings, camvid, progress=False)
    before = find_artefact(tmp_path / "1").digest()
    monkeypatch.setattr(proof_module, "MINIMUM_EQUAL_LABELS", {"fp32": 1.01})
    for target in ("1", "2"):
        with pytest.raises(
            ValueError, match=r"The export differs from the Keras model: 100\.0000 %"
        ):
            export(network, tmp_path / target, settings, camvid, overwrite=True, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert find_artefact(tmp_path / "1").digest() == before


def test_labels_of_several_palettes_are_refused_before_anything_is_converted(
    network, tmp_path, monkeypatch
):
    """The one image of the proof is read by a palette that the other labels do not have."""
    data = tmp_path / "data"
    colors = np.random.default_rng(0).permutation(256).astype(np.uint8).repeat(3)
    for number, palette in enumerate((colors, colors[::-1], colors)):
        name = f"val/{number}.png"
        for folder in ("images", "labels"):
            (data / folder / "val").mkdir(parents=True, exist_ok=True)
        Image.fromarray(random_images(64, 64)).save(data / "images" / name)
        label = Image.fromarray(
            np.arange(64 * 64, dtype=np.uint16).reshape(64, 64).astype(np.uint8) % 11
        )
        label.putpalette(palette.tolist())
        label.save(data / "labels" / name)
    (data / "dataset.yaml").write_text(f"classes: {[f'c{index}' for index in range(11)]}")
    monkeypatch.setattr(export_module, "export_network", lambda *_, **__: pytest.fail("converted"))
    with pytest.raises(DataError, match="The palettes of labels differ: the index 0 is"):
        export(network, tmp_path / "1", ExportSettings(proof_images=1), Folder(data))
    assert not (tmp_path / "1").exists()


def test_another_data_set_is_refused(tmp_path, network, camvid, monkeypatch):
    monkeypatch.setattr(type(camvid), "class_names", camvid.class_names[:-1])
    with pytest.raises(ValueError, match="has 11 classes, but the data set camvid has 10"):
        export(network, tmp_path / "1", source=camvid)
    assert list(tmp_path.iterdir()) == []
