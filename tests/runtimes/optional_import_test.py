import importlib.util
import json
import sys

import keras
import pytest

from keras_fasterseg.runtimes.optional_import import (
    RuntimeNotInstalledError,
    optional_import,
    require_tensorflow,
)


def test_gives_the_module():
    assert optional_import("json", "onnx", "A test") is json


def test_what_is_missing_is_named_with_its_extra():
    with pytest.raises(
        RuntimeNotInstalledError,
        match=r'^A test needs absent_package: pip install "keras_fasterseg\[onnx\]".$',
    ):
        optional_import("absent_package.part", "onnx", "A test")


def test_what_does_not_load_says_why(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("raise ImportError('libfoo.so is missing')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RuntimeNotInstalledError, match=r"\(libfoo.so is missing\)"):
        optional_import("broken_package", "onnx", "A test")
    sys.modules.pop("broken_package", None)


def test_tensorflow_must_be_installed_and_where_needed_the_backend(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = r'^A test needs TensorFlow: pip install "keras_fasterseg\[cpu\]".$'
    with pytest.raises(RuntimeNotInstalledError, match=message):
        require_tensorflow("A test", as_backend=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    require_tensorflow("A test", as_backend=False)
    message = "runs on Keras's backend tensorflow; set KERAS_BACKEND=tensorflow. Received: .*jax"
    with pytest.raises(RuntimeNotInstalledError, match=message):
        require_tensorflow("A test")
