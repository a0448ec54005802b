"""Runs a Keras model in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fasterseg.runtimes import tensorflow_device
from keras_fasterseg.runtimes.base import Runner, genotype_fact
from keras_fasterseg.runtimes.serving_graph import CLASS_IDS, LOGITS, ServingGraph


class KerasRunner(Runner):
    """Traces the serving graph around `model`: the same graph that an export writes.

    Weights are read at every call, so a runner made before training uses the trained weights.

    Args:
        model: Maps normalised images to logits, see `ServingGraph`.
        mean: Mean of the three channels, of images scaled to [0, 1].
        std: Standard deviation of the three channels, of images scaled to [0, 1].
        threads: Threads inside an operation. None uses TensorFlow's current number. The model has
            already started TensorFlow, so any other number raises.
        metadata: Facts about the network, such as `genotype` with its JSON object.

    Raises:
        ValueError: See `ServingGraph`; or TensorFlow can no longer change to `threads`.
    """

    def __init__(
        self,
        model: keras.Model,
        mean: Sequence[float],
        std: Sequence[float],
        threads: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        tensorflow_device.request_threads(threads)
        self._graph = ServingGraph(model, mean=mean, std=std)
        self._metadata = dict(metadata or {})
        self._functions = {
            CLASS_IDS: self._compile(self._graph.class_ids),
            LOGITS: self._compile(self._graph.logits),
        }

    def load(self) -> None:
        self._functions[CLASS_IDS].get_concrete_function()

    def synchronize(self) -> None:
        tensorflow_device.synchronize()

    def describe(self) -> dict[str, object]:
        return {
            "runtime": "keras",
            "version": f"keras {keras.__version__}, tensorflow {tf.__version__}",
            "precision": self._graph.precision,
            "threads": tensorflow_device.intra_op_threads(),
            "device": tensorflow_device.device_name(),
            **genotype_fact(self._metadata),
        }

    def _infer(self, images: np.ndarray, output: str) -> Any:
        return self._functions[output](tf.constant(images))

    def _fetch(self, handle: Any) -> np.ndarray:
        return handle.numpy()

    def _compile(self, function):
        return tf.function(
            function,
            input_signature=ServingGraph.input_signature,
            autograph=False,
            jit_compile=False,
        )
