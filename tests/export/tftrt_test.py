"""Tests without TF-TRT; conversions run in tests/environments/tftrt."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.export import tftrt
from keras_fasterseg.export.tftrt import convert_saved_model
from keras_fasterseg.export.tftrt_report import TfTrtReport
from keras_fasterseg.runtimes.artefact_format import find_artefact
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.saved_model_format import file_digests, read_metadata
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner
from tests.export.tftrt_report_test import graph
from tests.runtimes import exports
from tests.stand_in import random_images

SIZE = exports.SIZE


class Converted:
    """Stand-in for the result of `converted`, with TensorFlow's own graph for the function."""

    def __init__(self, source, signature, options, batches):
        self.graph = graph(["Cast", "TRTEngineOp:a"], {"a": ["Relu"] * (1 + len(signature))})
        self.function = tf.saved_model.load(str(source)).signatures[signature]
        self.options = options
        self.inputs = list(batches())
        self.builds = 0

    def build(self):
        self.builds += 1

    def engines(self, folder):
        assert folder.is_dir()
        return {}


@pytest.fixture
def made(monkeypatch):
    """Puts `Converted` in TF-TRT's place; the list holds those that were made."""
    signatures = []

    def converted(*arguments):
        signatures.append(Converted(*arguments))
        return signatures[-1]

    monkeypatch.setattr(tftrt, "check_tftrt", lambda: None)
    monkeypatch.setattr(tftrt, "converted", converted)
    return signatures


@pytest.fixture(scope="module")
def source():
    return exports.export("saved_model")


def test_a_machine_without_tf_trt_says_what_it_takes_in_one_sentence(source, tmp_path):
    with pytest.raises(RuntimeNotInstalledError) as error:
        convert_saved_model(source, tmp_path / "1", input_size=SIZE)
    message = str(error.value)
    for needed in (
        "TensorFlow 2.17.1",
        "TensorRT 8.6.1",
        "libnvinfer8 and libnvinfer-plugin8",
        "tensorflow/tensorflow:2.17.0-gpu",
        'pip install "keras_fasterseg[tftrt]"',
        f"TensorFlow {tf.__version__} as installed here was built without TF-TRT",
    ):
        assert needed in message
    assert message.count(". ") == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "bf16"}, "one of fp32, fp16, int8. Received: precision='bf16'"),
        ({"minimum_segment_size": 0}, "minimum_segment_size=0"),
        ({"workspace_bytes": 0}, "workspace_bytes=0"),
        ({"precision": "int8"}, "at least one batch of real.*Received: 0 for batch_size=1"),
        (
            {"precision": "int8", "batch_size": 3, "calibration_images": random_images(2, *SIZE)},
            "Received: 2 for batch_size=3",
        ),
        (
            {"calibration_images": random_images(2, *SIZE)},
            "Only precision='int8' uses calibration_images",
        ),
    ],
)
def test_options_are_checked_before_anything_is_asked_for(source, tmp_path, options, message):
    with pytest.raises(ValueError, match=message) as error:
        convert_saved_model(source, tmp_path / "1", **{"input_size": SIZE, **options})
    assert not isinstance(error.value, RuntimeNotInstalledError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"accepts images of any size.*set input_size=\(height, width\)"),
        ({"input_size": (16, 64)}, "at least 32"),
        ({"input_size": SIZE, "batch_size": 0}, "batch_size=0"),
        (
            {
                "precision": "int8",
                "input_size": (64, 64),
                "calibration_images": random_images(1, 64, 96),
            },
            r"uint8 of shape \(64, 64, 3\). Received: uint8, shape \(64, 96, 3\)",
        ),
        (
            {"precision": "int8", "calibration_images": [np.zeros((64, 64, 3), np.float32)]},
            "Received: float32",
        ),
    ],
)
def test_sizes_are_checked_before_anything_is_written(source, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        convert_saved_model(source, tmp_path / "1", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("made")
def test_sources_that_are_not_ours_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"No SavedModel at .*nowhere"):
        convert_saved_model(tmp_path / "nowhere", tmp_path / "1", input_size=SIZE)
    exports.network().export(str(tmp_path / "foreign"), verbose=False)
    with pytest.raises(ValueError, match="not exported by keras_fasterseg"):
        convert_saved_model(tmp_path / "foreign", tmp_path / "1", input_size=SIZE)
    assert not (tmp_path / "1").exists()


def test_the_result_is_a_saved_model_of_ours_with_the_facts_of_both(source, tmp_path, made):
    path = tmp_path / "1"
    report = convert_saved_model(
        source,
        path,
        precision="fp16",
        input_size=SIZE,
        batch_size=2,
        minimum_segment_size=5,
        workspace_bytes=1 << 20,
    )
    inside = 1 + len("serving_default")
    assert report == TfTrtReport(1 + inside, inside, 1, {"Cast": 1})
    assert [each.builds for each in made] == [1, 1]
    for each in made:
        assert [batch["images"].shape for batch in each.inputs] == [(2, *SIZE, 3)]
    metadata, before = read_metadata(path), read_metadata(source)
    ours = metadata.pop("tftrt")
    changed = {
        "format": "tftrt",
        "bytes": sum((path / name).stat().st_size for name in file_digests(path)),
        "precision": "float16",
        "input_size": [96, 160],
        "batch_size": 2,
        "files": file_digests(path),
    }
    assert metadata == {**before, **changed}
    assert before["precision"] == "float32"
    assert (ours["precision"], ours["minimum_segment_size"]) == ("fp16", 5)
    assert (ours["workspace_bytes"], ours["calibration_images"]) == (1 << 20, 0)
    assert ours["reports"]["serving_default"] == report.to_json()
    assert ours["reports"]["logits"]["converted"] == 7
    assert ours["versions"]["tensorflow"] == tf.__version__
    assert ours["source_sha256"] == find_artefact(source).digest()
    json.dumps(ours)
    runner = SavedModelRunner(path)
    assert (runner.batch_size, runner.input_size) == (2, SIZE)
    exports.assert_equals_keras(runner, (2, *SIZE))
    assert runner.describe()["precision"] == "float16"


def test_calibration_images_go_in_whole_batches_and_give_the_size(source, tmp_path, made):
    images = random_images(5, *SIZE)
    convert_saved_model(
        source, tmp_path / "1", precision="int8", batch_size=2, calibration_images=images
    )
    metadata = read_metadata(tmp_path / "1")
    assert metadata["input_size"] == list(SIZE)
    assert metadata["precision"] == "int8"
    assert metadata["tftrt"]["calibration_images"] == 5
    for each in made:
        batches = [batch["images"] for batch in each.inputs]
        np.testing.assert_array_equal(batches, [images[:2], images[2:4]])


def test_a_source_of_one_size_keeps_it(source, tmp_path, made):
    convert_saved_model(source, tmp_path / "static", input_size=SIZE)
    _without_mark(tmp_path / "static")
    convert_saved_model(tmp_path / "static", tmp_path / "1")
    assert read_metadata(tmp_path / "1")["input_size"] == list(SIZE)
    with pytest.raises(ValueError, match=r"takes 1 images of 96x160 per call.*\(64, 64\)"):
        convert_saved_model(tmp_path / "static", tmp_path / "2", input_size=(64, 64))
    with pytest.raises(ValueError, match="batch_size=2"):
        convert_saved_model(tmp_path / "static", tmp_path / "2", batch_size=2)
    assert len(made) == 4


def _without_mark(path: pathlib.Path) -> None:
    file = path / "assets.extra" / "metadata.json"
    metadata = json.loads(file.read_text())
    del metadata["tftrt"]
    file.write_text(json.dumps(metadata))


@pytest.mark.usefixtures("made")
def test_what_exists_is_replaced_only_on_request(source, tmp_path):
    path = tmp_path / "1"
    convert_saved_model(source, path, input_size=SIZE)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        convert_saved_model(source, path, input_size=SIZE)
    with pytest.raises(ValueError, match="was already converted by TF-TRT"):
        convert_saved_model(path, tmp_path / "2")
    convert_saved_model(source, path, input_size=SIZE, batch_size=2, overwrite=True)
    assert read_metadata(path)["batch_size"] == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]


@pytest.mark.usefixtures("made")
def test_a_failure_leaves_what_was_there(source, tmp_path, monkeypatch):
    path = tmp_path / "1"
    convert_saved_model(source, path, input_size=SIZE)
    before = file_digests(path)

    def fail(self):
        raise ValueError("TensorRT fails.")

    monkeypatch.setattr(Converted, "build", fail)
    with pytest.raises(ValueError, match=r"TensorRT fails\."):
        convert_saved_model(source, path, input_size=SIZE, overwrite=True)
    assert file_digests(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]


@pytest.mark.usefixtures("made")
def test_a_network_without_a_segment_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.setattr(tftrt, "tftrt_report", lambda _: TfTrtReport(3, 0, 0, {"Relu": 3}))
    with pytest.raises(ValueError, match="found no segment of at least 9 operators"):
        convert_saved_model(source, tmp_path / "1", input_size=SIZE, minimum_segment_size=9)
    assert list(tmp_path.iterdir()) == []
