"""Check that TF-TRT can be used here, and functions that inspect its graphs."""

from typing import Any

import tensorflow as tf

from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError

ENGINE = "TRTEngineOp"
"""The operator for a subgraph that TensorRT runs."""

PRECISIONS = {"FP32": "float32", "FP16": "float16", "INT8": "int8"}
"""The least precise type that an engine computes in, by TF-TRT's name for it."""


def check_tftrt() -> None:
    """Checks that TF-TRT can convert and run a network here.

    Raises:
        RuntimeNotInstalledError: TensorFlow was built without TF-TRT, TensorRT's libraries cannot
            be loaded, or no GPU is present. The message lists the requirements.
    """
    lacking = _lacking()
    if lacking:
        raise RuntimeNotInstalledError(
            "TF-TRT needs TensorFlow 2.17.1 (not a later one, nor tensorflow-cpu), TensorRT 8.6.1 "
            "(NVIDIA's libnvinfer8 and libnvinfer-plugin8) and an NVIDIA GPU, such as the "
            'container tensorflow/tensorflow:2.17.0-gpu with these packages and pip install "keras_'
            f'fasterseg[tftrt]" (docs/tftrt.md); {lacking}.'
        )


def linked_tensorrt() -> str:
    """The version of TensorRT that this TensorFlow was built with, such as `8.6.1`."""
    return ".".join(map(str, _python_bindings().get_linked_tensorrt_version()))


def all_nodes(graph: Any) -> list[Any]:
    """The nodes of a `GraphDef` and of the functions in its library."""
    return [*graph.node, *(node for each in graph.library.function for node in each.node_def)]


def engine_precisions(graph: Any) -> set[str]:
    """The precisions of the engines of a `GraphDef`, such as `{"float16"}`; empty without any."""
    modes: set[str] = {
        node.attr["precision_mode"].s.decode() for node in all_nodes(graph) if node.op == ENGINE
    }
    return {PRECISIONS.get(mode, mode) for mode in modes}


def _lacking() -> str | None:
    if not tf.sysconfig.get_build_info().get("is_tensorrt_build", False):
        return f"TensorFlow {tf.__version__} as installed here was built without TF-TRT"
    # Querying the version of missing libraries would abort the process.
    if not _python_bindings().is_tensorrt_enabled():
        return (
            f"TensorFlow {tf.__version__} cannot find libnvinfer.so.{linked_tensorrt()} and "
            f"libnvinfer_plugin.so.{linked_tensorrt()} here"
        )
    if not tf.config.list_physical_devices("GPU"):
        return "TensorFlow sees no GPU here (in a container: docker run --gpus all)"
    return None


def _python_bindings() -> Any:
    # Imported here: not every TensorFlow has it.
    from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils

    return _pywrap_py_utils
