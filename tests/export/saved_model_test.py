import hashlib
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.runtimes.serving_graph import ServingGraph
from tests.stand_in import (
    MEAN,
    STD,
    assert_same_classes,
    expected_logits,
    random_images,
    segmentation_network,
)

NAMES = ("road", "car", "tree", "sky", "void-free")

# Runs where this package cannot be imported: what a user of the artefact has.
FOREIGN_PROGRAM = """
import sys
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
images = tf.constant(np.load(sys.argv[2]))
class_ids = loaded.signatures["serving_default"](images=images)
logits = loaded.signatures["logits"](images=images)
assert set(class_ids) == {"class_ids"} and set(logits) == {"logits"}
np.savez(sys.argv[3], class_ids=class_ids["class_ids"], logits=logits["logits"])
assert not [name for name in sys.modules if "fasterseg" in name]
"""


@pytest.fixture(scope="module")
def model():
    return segmentation_network()


@pytest.fixture(scope="module")
def artefact(model, tmp_path_factory):
    return export(
        model, tmp_path_factory.mktemp("student") / "1", metadata={"genotype": "abc", "seed": 3}
    )


def export(model, path, **arguments):
    defaults = {"num_classes": 5, "class_names": NAMES, "mean": MEAN, "std": STD}
    return export_saved_model(model, path, **{**defaults, **arguments})


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 64, 96), (3, 45, 71), (2, 33, 128)])
def test_equals_keras_at_every_size(model, artefact, shape):
    images = random_images(*shape)
    signatures = tf.saved_model.load(str(artefact)).signatures
    expected = expected_logits(model, images)
    logits = signatures["logits"](images=tf.constant(images))["logits"]
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    class_ids = signatures["serving_default"](images=tf.constant(images))["class_ids"]
    assert class_ids.shape == shape
    assert_same_classes(class_ids.numpy(), expected)


def test_names_dtypes_and_shapes_of_the_signatures(artefact):
    signatures = tf.saved_model.load(str(artefact)).signatures
    assert set(signatures) == {"serving_default", "logits"}
    for name, output, dtype, rank in (
        ("serving_default", "class_ids", tf.uint8, 3),
        ("logits", "logits", tf.float32, 4),
    ):
        inputs = signatures[name].structured_input_signature[1]
        assert {key: (spec.dtype, spec.shape.as_list()) for key, spec in inputs.items()} == {
            "images": (tf.uint8, [None, None, None, 3])
        }
        outputs = signatures[name].structured_outputs
        assert {key: (spec.dtype, spec.shape.rank) for key, spec in outputs.items()} == {
            output: (dtype, rank)
        }


def test_one_size_and_every_number_of_images(model, tmp_path):
    path = export(model, tmp_path / "1", input_size=(70, 90))
    metadata = json.loads((path / "assets.extra" / "metadata.json").read_text())
    assert (metadata["input_size"], metadata["batch_size"]) == ([70, 90], None)
    signatures = tf.saved_model.load(str(path)).signatures
    for count in (1, 3, 2):
        images = random_images(count, 70, 90, seed=count)
        expected = np.concatenate([expected_logits(model, image[None]) for image in images])
        logits = signatures["logits"](images=tf.constant(images))["logits"]
        np.testing.assert_allclose(logits, expected, atol=1e-5)
        class_ids = signatures["serving_default"](images=tf.constant(images))["class_ids"]
        assert_same_classes(class_ids.numpy(), expected)
    (images,) = signatures["logits"].structured_input_signature[1].values()
    assert images.shape.as_list() == [None, 70, 90, 3]
    with pytest.raises(ValueError, match=r"input_size=\(31, 64\)"):
        export(model, tmp_path / "2", input_size=(31, 64))


def test_each_signature_is_traced_once(model, tmp_path, monkeypatch):
    traced, outputs = [], ServingGraph.outputs

    def counted(self, images, names):
        traced.append(names)
        return outputs(self, images, names)

    monkeypatch.setattr(ServingGraph, "outputs", counted)
    export(model, tmp_path / "1")
    assert traced == [("class_ids",), ("logits",)]


def test_needs_only_tensorflow(model, artefact, tmp_path):
    images = random_images(3, 37, 50)
    np.save(tmp_path / "images.npy", images)
    files = [str(tmp_path / "images.npy"), str(tmp_path / "outputs.npz")]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    finished = subprocess.run(
        [sys.executable, "-c", FOREIGN_PROGRAM, str(artefact), *files],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    outputs = np.load(files[1])
    expected = expected_logits(model, images)
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)
    assert_same_classes(outputs["class_ids"], expected)


@pytest.mark.parametrize("size", [(31, 64), (64, 31)])
@pytest.mark.parametrize("signature", ["serving_default", "logits"])
def test_small_images_fail_clearly_at_run_time(artefact, size, signature):
    loaded = tf.saved_model.load(str(artefact))
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be at least 32"):
        loaded.signatures[signature](images=tf.constant(random_images(1, *size)))


def test_metadata_says_what_the_artefact_is(artefact):
    metadata = json.loads((artefact / "assets.extra" / "metadata.json").read_text())
    assert metadata["num_classes"] == 5
    assert metadata["class_names"] == list(NAMES)
    assert metadata["input"]["channels"] == "RGB"
    assert metadata["colors"] is None
    assert metadata["mean"] == list(MEAN)
    assert metadata["std"] == list(STD)
    assert metadata["precision"] == "float32"
    assert metadata["signatures"]["serving_default"] == {"input": "images", "output": "class_ids"}
    assert metadata["genotype"] == "abc"
    assert metadata["seed"] == 3
    assert metadata["versions"]["tensorflow"] == tf.__version__
    files = [file for file in artefact.rglob("*") if file.is_file()]
    assert metadata["files"] == {
        file.relative_to(artefact).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.name != "metadata.json"
    }
    assert "saved_model.pb" in metadata["files"]


def test_what_exists_is_replaced_only_on_request(model, tmp_path):
    path = export(model, tmp_path / "student" / "1")
    before = (path / "assets.extra" / "metadata.json").read_bytes()
    with pytest.raises(FileExistsError, match=re.escape(f"{path} exists; pass --overwrite")):
        export(model, path)
    assert (path / "assets.extra" / "metadata.json").read_bytes() == before
    export(model, path, overwrite=True, metadata={"genotype": "second"})
    assert json.loads((path / "assets.extra" / "metadata.json").read_text())["genotype"] == "second"
    assert [entry.name for entry in path.parent.iterdir()] == ["1"]


def test_a_folder_that_is_no_saved_model_is_never_replaced(model, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"")
    with pytest.raises(FileExistsError, match="is neither a SavedModel"):
        export(model, tmp_path / "photos", overwrite=True)
    assert (tmp_path / "photos" / "one.jpg").exists()


def test_a_failed_export_leaves_nothing(model, tmp_path):
    with pytest.raises(ValueError, match="num_classes=4"):
        export(model, tmp_path / "student" / "1", num_classes=4, class_names=NAMES[:4])
    assert list((tmp_path / "student").iterdir()) == []


def test_a_failed_export_leaves_the_old_one(model, tmp_path):
    path = export(model, tmp_path / "1")
    digest = hashlib.sha256((path / "saved_model.pb").read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="num_classes=4"):
        export(model, path, num_classes=4, class_names=None, overwrite=True)
    assert hashlib.sha256((path / "saved_model.pb").read_bytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_names": NAMES[:3]}, "3 names for num_classes=5"),
        ({"mean": (124.0, 116.0, 104.0)}, "divide"),
        ({"metadata": {"files": {}}}, r"\['files'\]"),
        ({"metadata": {"mean": 0}}, r"\['mean'\]"),
        ({"metadata": {"score": float("nan")}}, "must be JSON-serialisable"),
        ({"metadata": {"score": object()}}, "must be JSON-serialisable"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    model, tmp_path, arguments, message
):
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "1", **arguments)
    assert list(tmp_path.iterdir()) == []
