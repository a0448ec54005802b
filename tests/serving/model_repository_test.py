import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.export.static_signatures import static_signatures
from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.runtimes.saved_model_format import artefact_digest
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner
from keras_fasterseg.serving.model_repository import RepositoryOptions, add_to_repository
from keras_fasterseg.serving.tensorflow_serving_repository import BatchingParameters
from tests.runtimes import exports
from tests.stand_in import MEAN, NUM_CLASSES, STD, random_images

WARMUP = pathlib.PurePath("assets.extra/tf_serving_warmup_requests")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# === TensorFlow Serving ===


def test_saved_models_by_name_and_version(tmp_path):
    export = exports.export("saved_model")
    options = RepositoryOptions(mount="/srv/models/")
    assert add_to_repository(export, tmp_path, "student", options=options) == (
        tmp_path / "student" / "1"
    )
    assert add_to_repository(export, tmp_path, "student", options=options).name == "2"
    assert add_to_repository(export, tmp_path, "b", 7, options=options).name == "7"
    assert names(tmp_path) == ["b", "batching.config", "models.config", "student"]
    assert names(tmp_path / "student") == ["1", "2"]
    assert (tmp_path / "models.config").read_text() == (
        "model_config_list {\n"
        "  config {\n"
        '    name: "b"\n'
        '    base_path: "/srv/models/b"\n'
        '    model_platform: "tensorflow"\n'
        "  }\n"
        "  config {\n"
        '    name: "student"\n'
        '    base_path: "/srv/models/student"\n'
        '    model_platform: "tensorflow"\n'
        "  }\n"
        "}\n"
    )
    # Bytes of a warm-up are no part of the network.
    images = random_images(1, 64, 96)
    version = tmp_path / "student" / "2"
    assert artefact_digest(version) == artefact_digest(export)
    np.testing.assert_array_equal(
        SavedModelRunner(version)(images), SavedModelRunner(export)(images)
    )


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
def test_a_version_of_other_classes_is_refused(tmp_path, kind):
    export = tmp_path / "export"
    shutil.copytree(exports.export(kind), export)
    classes = [f"class {index}" for index in range(NUM_CLASSES)]
    (manifest,) = (path for path in export.rglob("*.json") if "class_names" in path.read_text())
    facts = read_json(manifest)
    for version, names in ((1, classes), (2, [*classes[1:], classes[0]])):
        write_json(manifest, {**facts, "class_names": names})
        if version == 2:
            with pytest.raises(
                ValueError, match=r"has the classes class 1, .*version 1 of b has the classes cl"
            ):
                add_to_repository(export, tmp_path / "models", "b")
            assert not (tmp_path / "models" / "b" / "2").exists()
        options = RepositoryOptions(other_classes=version == 2)
        target = add_to_repository(export, tmp_path / "models", "b", options=options)
        assert target.name == str(version)


@pytest.mark.parametrize("named", ["neither", "first", "second"])
def test_a_version_of_another_number_of_classes_is_refused(tmp_path, named):
    export, models = tmp_path / "export", tmp_path / "models"
    shutil.copytree(exports.export("saved_model"), export)
    manifest = export / "assets.extra" / "metadata.json"
    facts = read_json(manifest)
    for version, count in (("first", 3), ("second", 4)):
        names = [f"class {index}" for index in range(count)] if named == version else None
        write_json(manifest, {**facts, "num_classes": count, "class_names": names})
        if version == "second":
            message = r"export has 4 classes, but version 1 of b has 3 classes; choose another name"
            with pytest.raises(ValueError, match=message):
                add_to_repository(export, models, "b")
            assert not (models / "b" / "2").exists()
        add_to_repository(
            export, models, "b", options=RepositoryOptions(other_classes=version == "second")
        )
    # As many as in the newest version.
    assert add_to_repository(export, models, "b").name == "3"


def test_folders_that_are_no_models_are_not_configured(tmp_path):
    (tmp_path / "notes" / "1").mkdir(parents=True)
    add_to_repository(exports.export("saved_model"), tmp_path, "student")
    assert "notes" not in (tmp_path / "models.config").read_text()


def test_batching_parameters(tmp_path):
    options = RepositoryOptions(BatchingParameters(4, 1.5, 3, 20))
    add_to_repository(exports.export("saved_model"), tmp_path, "student", options=options)
    assert (tmp_path / "batching.config").read_text() == (
        "max_batch_size { value: 4 }\n"
        "batch_timeout_micros { value: 1500 }\n"
        "num_batch_threads { value: 3 }\n"
        "max_enqueued_batches { value: 20 }\n"
    )


def test_warmup_requests_run_and_leave_the_digest_as_it_was(tmp_path):
    export = exports.export("saved_model")
    options = RepositoryOptions(warmup_sizes=((64, 96), (32, 32)))
    version = add_to_repository(export, tmp_path, "student", options=options)
    assert len(list(tf.data.TFRecordDataset(str(version / WARMUP)))) == 2
    assert not (export / WARMUP).exists()
    assert artefact_digest(version) == artefact_digest(export)
    # A copy of a copy has no requests under the first one's name.
    again = add_to_repository(version, tmp_path, "other")
    assert not (again / WARMUP).exists()


def test_a_saved_model_for_one_size(tmp_path):
    options = {"num_classes": NUM_CLASSES, "mean": MEAN, "std": STD}
    export_saved_model(exports.network(), tmp_path / "1", input_size=(64, 96), **options)
    with pytest.raises(ValueError, match=r"only images of 64x96\. Received: --warmup_size=96x160"):
        add_to_repository(
            tmp_path / "1",
            tmp_path / "models",
            "student",
            options=RepositoryOptions(warmup_sizes=((64, 96), (96, 160))),
        )
    assert not (tmp_path / "models").exists()
    sizes = RepositoryOptions(BatchingParameters(16), warmup_sizes=((64, 96),))
    add_to_repository(tmp_path / "1", tmp_path / "models", "student", options=sizes)
    assert "max_batch_size { value: 16 }" in (tmp_path / "models" / "batching.config").read_text()


def test_a_saved_model_with_a_fixed_batch_is_not_batched(tmp_path):
    loaded = tf.saved_model.load(str(exports.export("saved_model")))
    signatures = static_signatures(loaded, (64, 96), 2)
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"), signatures)
    with pytest.raises(ValueError, match=r"exactly 2 images.* omit --max_batch_size"):
        add_to_repository(
            tmp_path / "1",
            tmp_path / "models",
            "student",
            options=RepositoryOptions(BatchingParameters(16)),
        )
    assert not (tmp_path / "models").exists()
    add_to_repository(tmp_path / "1", tmp_path / "models", "student")


# === Triton ===

CONFIG = """\
name: "student"
backend: "onnxruntime"
default_model_filename: "model.onnx"
max_batch_size: 0
input [ { name: "images" data_type: TYPE_UINT8 dims: [2, 96, 160, 3] } ]
output [ { name: "class_ids" data_type: TYPE_UINT8 dims: [2, 96, 160] } ]
output [ { name: "logits" data_type: TYPE_FP32 dims: [2, 96, 160, 5] } ]
version_policy { latest { num_versions: 1 } }
model_warmup [ { name: "first" batch_size: 0 inputs { key: "images" value \
{ data_type: TYPE_UINT8 dims: [2, 96, 160, 3] zero_data: true } } } ]
"""


def test_onnx_models_by_name_and_version(tmp_path):
    export = exports.export("onnx", "both", batch_size=2)
    version = add_to_repository(export, tmp_path, "student")
    assert version == tmp_path / "student" / "1"
    assert add_to_repository(export, tmp_path, "student").name == "2"
    assert names(tmp_path) == ["student"]
    assert names(tmp_path / "student") == ["1", "2", "config.pbtxt"]
    assert names(version) == ["manifest.json", "model.onnx"]
    assert (version / "model.onnx").read_bytes() == (export / "model.onnx").read_bytes()
    assert (tmp_path / "student" / "config.pbtxt").read_text() == CONFIG


def test_versions_of_a_model_share_its_config(tmp_path):
    add_to_repository(exports.export("onnx", "class_ids"), tmp_path, "student")
    before = (tmp_path / "student" / "config.pbtxt").read_bytes()
    other = exports.export("onnx", "both", batch_size=2)
    with pytest.raises(ValueError, match="applies to all versions"):
        add_to_repository(other, tmp_path, "student")
    assert names(tmp_path / "student") == ["1", "config.pbtxt"]
    assert (tmp_path / "student" / "config.pbtxt").read_bytes() == before
    # The only one may change.
    add_to_repository(other, tmp_path, "student", 1, overwrite=True)
    assert (tmp_path / "student" / "config.pbtxt").read_text() == CONFIG


def test_an_onnx_model_is_warmed_up_at_its_own_size(tmp_path):
    options = RepositoryOptions(warmup_sizes=((64, 64),))
    with pytest.raises(ValueError, match=r"warmup_sizes=\(\(64, 64\),\)"):
        add_to_repository(exports.export("onnx"), tmp_path, "student", options=options)
    assert not names(tmp_path)


# === Both ===


@pytest.mark.parametrize("format", ["saved_model", "onnx"])
def test_a_version_is_replaced_only_on_request(format, tmp_path):
    export = exports.export(format)
    version = add_to_repository(export, tmp_path, "student", 3)
    mark = version / "mark"
    mark.touch()
    with pytest.raises(FileExistsError, match=r"student/3 exists; omit --version"):
        add_to_repository(export, tmp_path, "student", 3)
    assert mark.exists()
    add_to_repository(export, tmp_path, "student", 3, overwrite=True)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", 'a"b', "a b"])
def test_names_that_fit_no_address(name, tmp_path):
    with pytest.raises(ValueError, match="`name` of a model must begin with"):
        add_to_repository(exports.export("saved_model"), tmp_path, name)


def test_other_wrong_arguments(tmp_path):
    export = exports.export("saved_model")
    with pytest.raises(ValueError, match="version=0"):
        add_to_repository(export, tmp_path, "student", 0)
    with pytest.raises(FileNotFoundError, match=r"exported network .* does not exist"):
        add_to_repository(tmp_path / "missing", tmp_path, "student")
    with pytest.raises(ValueError, match="which is litert"):
        add_to_repository(exports.export("litert"), tmp_path, "student")
    options = RepositoryOptions(warmup_sizes=((16, 64),))
    with pytest.raises(ValueError, match="at least 32"):
        add_to_repository(export, tmp_path, "student", options=options)
    with pytest.raises(ValueError, match=r"`max_batch_size` must be at least 1. Received: 0"):
        BatchingParameters(max_batch_size=0)
    assert not names(tmp_path)


def test_a_damaged_saved_model_is_not_copied(tmp_path):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "saved_model.pb").write_bytes(b"\x00\x01 no graph")
    with pytest.raises(ValueError, match="cannot be loaded; export it again"):
        add_to_repository(damaged, tmp_path / "models", "student")
    assert not (tmp_path / "models").exists()


def test_a_saved_model_of_another_program_is_not_copied(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "other"))
    with pytest.raises(ValueError, match="was not exported by keras_fasterseg"):
        add_to_repository(tmp_path / "other", tmp_path / "models", "student")
    assert not (tmp_path / "models").exists()
