import pytest
import tensorflow as tf

from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.tftrt_runner import TfTrtRunner
from tests.runtimes import exports


def test_a_tensorflow_without_tf_trt_says_what_to_install(monkeypatch):
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_tensorrt_build": False})
    with pytest.raises(RuntimeNotInstalledError, match=r"needs TF-TRT.*keras_fasterseg\[tftrt\]"):
        TfTrtRunner(exports.export("saved_model"))


def test_a_saved_model_without_engines_is_refused(monkeypatch):
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_tensorrt_build": True})
    runner = TfTrtRunner(exports.export("saved_model"))
    for _ in range(2):
        with pytest.raises(ValueError, match="has no TRTEngineOp: convert it with TF-TRT first"):
            runner.load()
