"""Tests without TF-TRT; converted networks are opened in tests/environments/tftrt."""

import pytest

from keras_fasterseg.runtimes import tftrt_runner
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.tftrt_runner import TfTrtRunner
from tests.runtimes import exports


def test_a_tensorflow_without_tf_trt_says_what_to_install():
    with pytest.raises(RuntimeNotInstalledError, match=r"TF-TRT needs.*keras_fasterseg\[tftrt\]"):
        TfTrtRunner(exports.export("saved_model"))


def test_a_saved_model_without_engines_is_refused(monkeypatch):
    monkeypatch.setattr(tftrt_runner, "check_tftrt", lambda: None)
    runner = TfTrtRunner(exports.export("saved_model"))
    for call in (runner.load, runner.load, runner.describe):
        with pytest.raises(ValueError, match=r"no TRTEngineOp behind logits, serving_default: co"):
            call()


def test_precisions_come_from_the_engines_and_not_from_the_manifest(monkeypatch):
    monkeypatch.setattr(tftrt_runner, "check_tftrt", lambda: None)
    answers = iter([{"int8", "float16"}, {"float16"}])
    monkeypatch.setattr(tftrt_runner, "engine_precisions", lambda _: next(answers))
    runner = TfTrtRunner(exports.export("saved_model"))
    assert runner.describe()["precision"] == "float16+int8"
    assert runner.describe()["runtime"] == "tftrt"
