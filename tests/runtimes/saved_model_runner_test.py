import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.export.static_signatures import static_signatures
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner, load_saved_model
from tests.stand_in import MEAN, STD, assert_same_classes, random_images, segmentation_network


@pytest.fixture(scope="module")
def model():
    return segmentation_network()


@pytest.fixture(scope="module")
def artefact(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "1"
    return export_saved_model(model, path, num_classes=5, mean=MEAN, std=STD)


@pytest.mark.parametrize("shape", [(1, 64, 96), (3, 33, 47)])
def test_equals_the_keras_runner(model, artefact, shape):
    images = random_images(*shape)
    runner, keras_runner = SavedModelRunner(artefact), KerasRunner(model, MEAN, STD)
    expected = keras_runner.logits(images)
    np.testing.assert_allclose(runner.logits(images), expected, atol=1e-5)
    class_ids = runner(images)
    assert class_ids.dtype == np.uint8
    assert class_ids.shape == shape
    assert_same_classes(class_ids, expected)


def test_describes_the_artefact(artefact, tmp_path):
    facts = SavedModelRunner(artefact).describe()
    assert facts["runtime"] == "saved_model"
    assert facts["precision"] == "float32"
    assert {"version", "threads", "device"} <= set(facts)
    json.dumps(facts)
    copy = shutil.copytree(artefact, tmp_path / "copy")
    assert SavedModelRunner(copy).describe() == facts


def test_small_images_are_refused(artefact):
    with pytest.raises(ValueError, match="at least 32"):
        SavedModelRunner(artefact)(random_images(1, 64, 31))


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_a_graph_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=f"No SavedModel at .*{name}.*: pass the folder"):
        SavedModelRunner(tmp_path / name)


def test_a_saved_model_of_someone_else_is_refused(model, tmp_path):
    model.export(str(tmp_path / "foreign"), verbose=False)
    with pytest.raises(ValueError, match=r"not exported by keras_fasterseg.*output_0") as error:
        SavedModelRunner(tmp_path / "foreign").load()
    assert "serving_default(images: uint8) -> class_ids" in str(error.value)


@pytest.mark.parametrize("damaged", ["saved_model.pb", "variables/variables.index"])
def test_a_damaged_saved_model_is_refused(artefact, tmp_path, damaged):
    copy = shutil.copytree(artefact, tmp_path / "copy")
    (copy / damaged).write_bytes(b"not what was written")
    with pytest.raises(ValueError, match="cannot be loaded; export it again"):
        SavedModelRunner(copy).load()


def test_a_saved_model_of_one_size_says_so_and_keeps_to_it(artefact, tmp_path):
    runner = SavedModelRunner(artefact)
    assert (runner.batch_size, runner.input_size) == (None, None)
    signatures = static_signatures(load_saved_model(artefact), (64, 96), 2)
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"), signatures)
    static = SavedModelRunner(tmp_path / "1")
    assert (static.batch_size, static.input_size) == (2, (64, 96))
    images = random_images(2, 64, 96)
    np.testing.assert_allclose(static.logits(images), runner.logits(images), atol=1e-5)
    with pytest.raises(ValueError, match=r"2x64x96. Received: 1x64x96"):
        static(images[:1])
