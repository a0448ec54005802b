import importlib.metadata
import sys
import types

import pytest
import tensorflow as tf

from keras_fasterseg.runtimes import installed_version as module
from keras_fasterseg.runtimes import operation_runner
from keras_fasterseg.runtimes.installed_version import installed_version
from keras_fasterseg.runtimes.litert_runner import interpreter_class
from keras_fasterseg.runtimes.operation_runner import runtime_version


def test_the_versions_that_the_runtimes_say_themselves():
    onnxruntime = pytest.importorskip("onnxruntime")
    assert installed_version("saved_model") == tf.__version__
    assert installed_version("onnxruntime") == onnxruntime.__version__
    package = sys.modules[interpreter_class().__module__.partition(".")[0]]
    name = package.__name__.replace("_", "-")
    assert installed_version("litert") == f"{name} {package.__version__}"


def test_other_runtimes_have_none(monkeypatch, no_distributions):
    assert installed_version("tensorrt") is None
    monkeypatch.delitem(sys.modules, "openvino", raising=False)
    assert installed_version("openvino") is None


@pytest.fixture
def no_distributions(monkeypatch):
    """Distributions by name with their versions, instead of those that are installed."""
    versions = {}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "packages_distributions", dict)
    return versions


@pytest.mark.parametrize(
    ("runtime", "name", "distribution", "expected"),
    [
        ("saved_model", "tensorflow", "tf-nightly", "2.22.0.dev1"),
        ("onnxruntime", "onnxruntime", "onnxruntime-openvino", "2.22.0.dev1"),
        ("litert", "ai_edge_litert", "ai-edge-litert-nightly", "ai-edge-litert 2.22.0.dev1"),
        ("litert", "tensorflow", "tf-nightly", "tensorflow 2.22.0.dev1"),
    ],
)
def test_distributions_of_other_names(
    monkeypatch, no_distributions, runtime, name, distribution, expected
):
    no_distributions[distribution] = "2.22.0.dev1"
    monkeypatch.setattr(
        importlib.metadata, "packages_distributions", lambda: {name: [distribution]}
    )
    found = object() if name == "ai_edge_litert" else None
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: found)
    # LiteRT's own package comes before TensorFlow, whatever distribution it is from.
    if name == "ai_edge_litert":
        no_distributions["tensorflow"] = "2.20.0"
    assert installed_version(runtime) == expected


def test_a_build_without_a_distribution_says_its_version_itself(monkeypatch, no_distributions):
    own = types.SimpleNamespace(__version__="1.99")
    monkeypatch.delitem(sys.modules, "openvino", raising=False)
    monkeypatch.setattr(operation_runner, "check_runtime", lambda name: None)
    monkeypatch.setattr(
        operation_runner.importlib,
        "import_module",
        lambda name: monkeypatch.setitem(sys.modules, name, own),
    )
    assert runtime_version("openvino") == "1.99"
    del own.__version__
    assert runtime_version("openvino") == "unknown"
