import types

import pytest
import tensorflow as tf

from keras_fasterseg.runtimes import tftrt_graph
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.tftrt_graph import check_tftrt, engine_precisions


@pytest.fixture
def machine(monkeypatch):
    """A machine that has what TF-TRT needs."""

    def set_up(*, built=True, libraries=True, gpus=1):
        bindings = types.SimpleNamespace(
            is_tensorrt_enabled=lambda: libraries, get_linked_tensorrt_version=lambda: (8, 6, 1)
        )
        monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_tensorrt_build": built})
        monkeypatch.setattr(tftrt_graph, "_python_bindings", lambda: bindings)
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * gpus)

    return set_up


def test_a_machine_that_has_everything(machine):
    machine()
    check_tftrt()
    assert tftrt_graph.linked_tensorrt() == "8.6.1"


@pytest.mark.parametrize(
    ("lacks", "reason"),
    [
        ({"built": False}, f"TensorFlow {tf.__version__} as installed here was built without"),
        (
            {"libraries": False},
            r"cannot find libnvinfer\.so\.8\.6\.1 and libnvinfer_plugin\.so\.8\.6\.1 here",
        ),
        ({"gpus": 0}, "sees no GPU here .*docker run --gpus all"),
    ],
)
def test_what_is_lacking_is_said_with_all_that_is_needed(machine, lacks, reason):
    machine(**lacks)
    needed = r"TensorFlow 2\.17\.1 .*TensorRT 8\.6\.1 .*tensorflow/tensorflow:2\.17\.0-gpu"
    with pytest.raises(RuntimeNotInstalledError, match=f"{needed}.*{reason}"):
        check_tftrt()


def test_this_tensorflow_is_judged_by_what_it_says_of_itself():
    assert not tf.sysconfig.get_build_info().get("is_tensorrt_build")
    with pytest.raises(RuntimeNotInstalledError, match="built without TF-TRT"):
        check_tftrt()


def test_precisions_of_engines_wherever_they_are():
    graph = tf.compat.v1.GraphDef()
    assert engine_precisions(graph) == set()
    graph.node.add(op="Conv2D").attr["precision_mode"].s = b"INT8"
    graph.node.add(op="TRTEngineOp").attr["precision_mode"].s = b"FP32"
    function = graph.library.function.add()
    function.node_def.add(op="TRTEngineOp").attr["precision_mode"].s = b"FP16"
    assert engine_precisions(graph) == {"float32", "float16"}
