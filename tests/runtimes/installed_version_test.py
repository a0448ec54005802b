import importlib.metadata

import pytest
import tensorflow as tf

from keras_fasterseg.runtimes.installed_version import installed_version
from keras_fasterseg.runtimes.litert_runner import litert_version


def test_the_versions_that_the_runtimes_say_themselves():
    onnxruntime = pytest.importorskip("onnxruntime")
    assert installed_version("saved_model") == tf.__version__
    assert installed_version("onnxruntime") == onnxruntime.__version__
    assert installed_version("litert") == litert_version()


def test_other_runtimes_have_none(monkeypatch):
    assert installed_version("tensorrt") is None

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert installed_version("openvino") is None
