"""Runs a SavedModel that TF-TRT has converted: TensorFlow with TensorRT engines in its graph."""

from typing import Any

import tensorflow as tf

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner

_ENGINE = "TRTEngineOp"


def check_tftrt() -> None:
    """Raises RuntimeNotInstalledError where this TensorFlow has no TF-TRT."""
    if not tf.sysconfig.get_build_info().get("is_tensorrt_build", False):
        raise RuntimeNotInstalledError(
            f"The runtime tftrt needs TF-TRT, which TensorFlow {tf.__version__} was built without: "
            'pip install "keras_fasterseg[tftrt]" in an environment with TensorRT 8.6, such as '
            "NVIDIA's container of TensorFlow 2.17."
        )


class TfTrtRunner(SavedModelRunner):
    """The SavedModel's signatures, whose engines TensorFlow hands to TensorRT.

    Args:
        path: The folder of the converted SavedModel.
        threads: As for `SavedModelRunner`.

    Raises:
        RuntimeNotInstalledError: This TensorFlow has no TF-TRT.
        ValueError: See `SavedModelRunner`; or, by `load`, there is no engine in the graph.
    """

    runtime = "tftrt"

    def __init__(self, path: PathLike, threads: int | None = None) -> None:
        check_tftrt()
        super().__init__(path, threads)

    def load(self) -> None:
        if self._loaded is not None:
            return
        super().load()
        if not any(_has_engine(each) for each in self._loaded.signatures.values()):
            self._loaded = None
            raise ValueError(
                f"The SavedModel at {self.path} has no {_ENGINE}: convert it with TF-TRT first, or "
                "take the runtime saved_model."
            )


def _has_engine(signature: Any) -> bool:
    graph = signature.graph.as_graph_def()
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    return any(node.op == _ENGINE for node in nodes)
