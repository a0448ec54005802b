import json
import sys

import pytest

from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError, optional_import


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
