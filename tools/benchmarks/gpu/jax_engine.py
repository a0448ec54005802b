"""Engine of the piece `networks` on JAX: programs compiled ahead of time by `jax.jit`."""

# pyright: reportMissingImports=false
# JAX is installed in a separate environment.
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from tools.benchmarks.gpu.cases import Case
from tools.benchmarks.gpu.plain_jax import PlainJax
from tools.benchmarks.gpu.timing import Effort, measure_calls

DTYPES = {"fp32": "float32", "tf32": "float32", "bf16": "bfloat16", "fp16": "float16"}
PRODUCTS = {"fp32": "highest", "tf32": "tensorfloat32"}


class Engine:
    """JAX on its first device.

    Args:
        compile_mode: Of PyTorch; not used.
    """

    def __init__(self, compile_mode: str) -> None:
        device = jax.devices()[0]
        self.on_card = device.platform != "cpu"
        self.device_name = f"{device.device_kind}, {device.client.platform_version}"
        self._peaks: dict[str, float] = {}

    def is_broken(self, error: Exception) -> bool:
        """True if no later call can succeed in this process."""
        return "CUDA_ERROR" in str(error)

    @contextlib.contextmanager
    def precision(self, name: str) -> Iterator[None]:
        """Context in which float32 products use TensorFloat-32, except for "fp32"."""
        with jax.default_matmul_precision(PRODUCTS.get(name, "default")):
            yield

    def matrix_peak(self, precision: str) -> float:
        """Multiply-accumulates per second of a large matrix product, measured once."""
        if precision not in self._peaks:
            size = 8192 if self.on_card else 512
            keys = jax.random.split(jax.random.key(0))
            matrices = [jax.random.normal(key, (size, size), DTYPES[precision]) for key in keys]
            product = jax.jit(jnp.matmul).lower(*matrices).compile()
            times = measure_calls(timer(product, *matrices), Effort(20, 0.2, 1.0))
            self._peaks[precision] = size**3 / times["p50_ms"] * 1000
        return self._peaks[precision]

    def prepare(self, case: Case, network: Any, images: np.ndarray) -> "Call":
        return Call(case, network, images)


def timer(function: Any, *arguments: Any) -> Any:
    """Function that times calls; each waits for its result."""

    def timed(count: int) -> list[float]:
        times = [time.perf_counter()]
        for _ in range(count):
            function(*arguments).block_until_ready()
            times.append(time.perf_counter())
        return np.diff(times).tolist()

    return timed


class Call:
    """A network that is ready to run on images in the device's memory."""

    def __init__(self, case: Case, network: Any, images: np.ndarray) -> None:
        if case.model == "keras":
            self._logits, self._weights = _keras_logits(network)
        else:
            plain = PlainJax(network, DTYPES[case.precision], **case.options())
            self._logits, self._weights = plain.__call__, plain.weights
        self._images = jnp.asarray(images)
        start = time.perf_counter()

        def class_ids(weights, images):
            return jnp.argmax(self._logits(weights, images), -1).astype("uint8")

        self._compiled = jax.jit(class_ids).lower(self._weights, self._images).compile()
        self._compile_seconds = time.perf_counter() - start
        self.timed = timer(self._compiled, self._weights, self._images)

    def back_to_back(self, count: int) -> float:
        """Mean seconds of calls whose results nobody waits for, except for the last."""
        self.class_ids()
        start = time.perf_counter()
        for _ in range(count - 1):
            self._compiled(self._weights, self._images)
        self._compiled(self._weights, self._images).block_until_ready()
        return (time.perf_counter() - start) / count

    def class_ids(self) -> np.ndarray:
        return np.asarray(self._compiled(self._weights, self._images))

    def logits(self, stride: int) -> np.ndarray:
        """Logits `(batch, height, width, classes)` of every n-th row and column."""

        def strided(weights, images):
            return self._logits(weights, images)[:, ::stride, ::stride]

        return np.asarray(jax.jit(strided)(self._weights, self._images), "float32")

    def facts(self) -> dict[str, Any]:
        """Seconds of compiling, and the memory of the compiled program."""
        memory = self._compiled.memory_analysis()
        parts = ("argument", "output", "temp")
        peak = None
        if memory is not None:
            peak = sum(getattr(memory, f"{part}_size_in_bytes") for part in parts)
        return {"compile_seconds": self._compile_seconds, "peak_memory_bytes": peak}


def _keras_logits(network: Any) -> tuple[Any, Any]:
    """A function of weights and images, and the weights."""
    mean, std = (255 * np.asarray(each, "float32") for each in (IMAGENET_MEAN, IMAGENET_STD))

    def logits(weights, images):
        normalized = (images.astype("float32") - mean) / std
        return network.stateless_call(*weights, normalized, training=False)[0]

    variables = network.trainable_variables, network.non_trainable_variables
    return logits, tuple([each.value for each in part] for part in variables)
