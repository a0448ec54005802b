"""Our code on TensorFlow 2.17.1 and NumPy 1, the oldest supported versions."""

import importlib
import pkgutil

import numpy as np
import pytest
import tensorflow as tf

import keras_fasterseg
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner
from keras_fasterseg.runtimes.tftrt_graph import check_tftrt, linked_tensorrt
from tests.stand_in import MEAN, STD, assert_same_classes, random_images
from tests.tools.run_tool import run_tool, sentence


def test_it_is_the_environment_that_it_should_be():
    assert tf.__version__ == "2.17.1"
    assert int(np.__version__.partition(".")[0]) < 2
    assert tf.sysconfig.get_build_info()["is_tensorrt_build"]
    assert linked_tensorrt() == "8.6.1"


def test_all_modules_import():
    modules = pkgutil.walk_packages(keras_fasterseg.__path__, f"{keras_fasterseg.__name__}.")
    names = [module.name for module in modules]
    assert len(names) > 100
    for name in names:
        importlib.import_module(name)


@pytest.mark.parametrize("shape", [(1, 64, 96), (2, 45, 71)])
def test_a_saved_model_runs_as_it_does_elsewhere(model, artefact, shape):
    images = random_images(*shape)
    runner, keras_runner = SavedModelRunner(artefact), KerasRunner(model, MEAN, STD)
    expected = keras_runner.logits(images)
    np.testing.assert_allclose(runner.logits(images), expected, atol=1e-5)
    assert_same_classes(runner(images), expected)


def test_missing_libraries_are_named_before_they_end_the_process():
    with pytest.raises(RuntimeNotInstalledError, match=r"8\.6\.1.*; TensorFlow 2\.17\.1") as error:
        check_tftrt()
    reasons = ("cannot find libnvinfer.so.8.6.1 and libnvinfer_plugin.so.8.6.1", "sees no GPU")
    assert any(reason in str(error.value) for reason in reasons)


def test_the_benchmark_says_in_one_sentence_what_is_missing(artefact):
    arguments = (f"--artefact={artefact}", "--runtime=tftrt", "--allow_load")
    finished = run_tool("benchmark", *arguments)
    assert "tensorflow/tensorflow:2.17.0-gpu" in sentence(finished)
