import importlib.util
import subprocess
import sys

import pytest

from keras_fasterseg.runtimes import registry
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.registry import RUNTIMES, check_runtime
from tests.runtimes import exports

_EXTRAS = {"onnxruntime": "onnx", "openvino": "openvino"}


def test_all_runtimes_are_known_by_name():
    assert {"keras", "saved_model", "xla", "onnxruntime", "openvino", "litert"} <= set(RUNTIMES)
    assert {"tftrt", "tensorrt", "tensorrt_rtx", "onnxruntime_cuda"} <= set(RUNTIMES)
    assert all(name == runtime.name for name, runtime in RUNTIMES.items())


@pytest.mark.parametrize("name", ["saved_model", "xla", "onnxruntime", "openvino", "litert"])
def test_loads_a_runner_for_its_first_format(name):
    runtime = RUNTIMES[name]
    if any(importlib.util.find_spec(module) is None for module in runtime.distributions.values()):
        pytest.skip(f"{name} is not installed")
    assert check_runtime(name) is runtime
    runner = runtime.load(exports.export(runtime.formats[0]), None)
    assert runner.describe()["runtime"] == name
    exports.assert_equals_keras(runner, (1, *exports.SIZE))


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"Unknown runtime 'tvm'; choose one of keras, .*litert"):
        check_runtime("tvm")


@pytest.mark.parametrize("name", _EXTRAS)
def test_what_is_not_installed_is_said_in_one_sentence(name, monkeypatch):
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda module: None)
    sentence = (
        rf'^The runtime {name} needs {name}: pip install "keras_fasterseg\[{_EXTRAS[name]}\]".$'
    )
    with pytest.raises(RuntimeNotInstalledError, match=sentence):
        check_runtime(name)


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt_rtx"])
def test_a_flavour_of_tensorrt_that_is_not_there_is_said(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RuntimeNotInstalledError, match=rf"^The runtime {name} needs .*pip install"):
        check_runtime(name)


def test_nothing_optional_is_imported_before_it_is_used():
    program = (
        "import sys; import keras_fasterseg.run.artefacts; "
        "names = {'onnx', 'onnxruntime', 'openvino', 'tf2onnx', 'ai_edge_litert', 'tensorrt', "
        "'tensorrt_rtx', 'cuda'}; "
        "sys.exit(', '.join(sorted(names & set(sys.modules))) or 0)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
