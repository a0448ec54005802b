"""Runs a Keras model in memory, on Keras's backend."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg.runtimes.backend_device import backend_device
from keras_fasterseg.runtimes.base import Runner, genotype_fact
from keras_fasterseg.runtimes.serving_graph import CLASS_IDS, LOGITS, ServingGraph


class KerasRunner(Runner):
    """Runs the serving graph around `model`: the same computation as in an export.

    TensorFlow traces it once, JAX compiles it for every image shape, and PyTorch runs its
    operations one by one. Weights are read at every call, so a runner made before training uses the
    trained weights.

    Args:
        model: Maps normalised images to logits, see `ServingGraph`.
        mean: Mean of the three channels, of images scaled to [0, 1].
        std: Standard deviation of the three channels, of images scaled to [0, 1].
        threads: Threads inside an operation. None uses the backend's current number. The model has
            already started TensorFlow or JAX, so any other number raises.
        metadata: Facts about the network, such as `genotype` with its JSON object.

    Raises:
        ValueError: See `ServingGraph`; or the backend can no longer change to `threads`.
    """

    def __init__(
        self,
        model: keras.Model,
        mean: Sequence[float],
        std: Sequence[float],
        threads: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self._device = backend_device()
        self._device.request_threads(threads)
        self._graph = ServingGraph(model, mean=mean, std=std)
        self._metadata = dict(metadata or {})
        self._result: Any = None
        self._functions = {
            CLASS_IDS: self._device.compiled(self._graph.class_ids, model.variables),
            LOGITS: self._device.compiled(self._graph.logits, model.variables),
        }

    def load(self) -> None:
        # JAX needs the image shape to compile, and PyTorch compiles nothing.
        if keras.backend.backend() == "tensorflow":
            self._functions[CLASS_IDS].get_concrete_function()

    def synchronize(self) -> None:
        self._device.synchronize(self._result)

    def describe(self) -> dict[str, object]:
        return {
            "runtime": "keras",
            "version": f"keras {keras.__version__}, {self._device.version()}",
            "precision": self._graph.precision,
            "threads": self._device.intra_op_threads(),
            "device": self._device.device_name(),
            **genotype_fact(self._metadata),
        }

    def _infer(self, images: np.ndarray, output: str) -> Any:
        self._result = self._functions[output](ops.convert_to_tensor(images))
        return self._result

    def _fetch(self, handle: Any) -> np.ndarray:
        return ops.convert_to_numpy(handle)
