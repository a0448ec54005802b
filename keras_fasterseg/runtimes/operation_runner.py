"""Runs graphs of single operations on one runtime, for a latency table.

Backend switch: the runtime `keras` times layers in memory, all others graphs of TensorFlow.
"""

import dataclasses
import functools
import importlib
from collections.abc import Callable
from typing import Any

import keras

from keras_fasterseg.available_cores import check_threads
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operation_meter import Call, OperationRunner
from keras_fasterseg.runtimes.backend_device import backend_device
from keras_fasterseg.runtimes.conversion.onnx_copies import onnx_copies
from keras_fasterseg.runtimes.installed_version import (
    UNKNOWN,
    installed_version,
    runtime_module,
)
from keras_fasterseg.runtimes.litert_runner import interpreter_class
from keras_fasterseg.runtimes.onnxruntime_pool import session_options
from keras_fasterseg.runtimes.openvino_runner import openvino_options
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError, require_tensorflow
from keras_fasterseg.runtimes.registry import KERAS, check_runtime

# These runtimes copy the graph of a single operation.
_READ_ONNX = ("onnxruntime", "openvino")

# Empty graphs are shared by several operations; at most this many are kept.
_KEPT_EMPTY_GRAPHS = 16


class RuntimeOperationRunner(OperationRunner):
    """Makes graphs of operations callable on one runtime.

    Args:
        runtime: See `operation_runtime`.
        threads: CPU threads inside an operation; None leaves the choice to the runtime.

    Raises:
        ValueError: The runtime cannot time operations, or cannot use `threads`.
    """

    def __init__(self, runtime: str | None = None, threads: int | None = None):
        runtime = operation_runtime(runtime)
        if runtime not in OPERATION_RUNTIMES:
            raise ValueError(
                "A latency table can be measured only on "
                f"{', '.join(OPERATION_RUNTIMES)}. Received: {runtime!r}"
            )
        check_threads(threads)
        check_operation_runtime(runtime)
        if runtime in ("saved_model", KERAS):
            # Making the first graph would start the backend with its default threads.
            backend_device().request_threads(threads)
        name = "keras_operation_graphs" if runtime == KERAS else "operation_graphs"
        self._graphs = importlib.import_module(f"keras_fasterseg.runtimes.{name}")
        self._reads_onnx = runtime in _READ_ONNX
        self._compile = functools.partial(OPERATION_RUNTIMES[runtime], threads=threads)
        self._empty = functools.lru_cache(_KEPT_EMPTY_GRAPHS)(self._make_empty)

    def copies(self, key: OpKey, copies: int) -> Call:
        # `serving` always has a single copy.
        if key.operation == "serving":
            return self._compile(self._graphs.serving_graph(key))
        return self._compile(self._copied(self._graphs.copies_graph, key, copies))

    def empty(self, key: OpKey, copies: int) -> Call:
        return self._empty(key.height, key.width, key.in_filters, copies)

    def _make_empty(self, height: int, width: int, in_filters: int, copies: int) -> Call:
        # Any operation will do: it is left out.
        key = OpKey("conv", height, width, in_filters, in_filters, 1)
        return self._compile(self._copied(self._graphs.empty_graph, key, copies))

    def _copied(self, make: Callable[[OpKey, int], Any], key: OpKey, copies: int) -> Any:
        if self._reads_onnx:
            return dataclasses.replace(make(key, 1), copies=copies)
        return make(key, copies)


def operation_runtime(name: str | None = None) -> str:
    """One of `OPERATION_RUNTIMES`; for None, the one that runs on Keras's backend."""
    return name or ("saved_model" if keras.backend.backend() == "tensorflow" else KERAS)


def check_operation_runtime(runtime: str) -> None:
    """Checks that one of `OPERATION_RUNTIMES` can time operations here.

    Raises:
        RuntimeNotInstalledError: It, or the converter of its graphs, is not installed, or Keras
            runs on the wrong backend for it.
    """
    if runtime != KERAS:
        require_tensorflow(f"A latency table of the runtime {runtime}")
    elif keras.backend.backend() == "tensorflow":
        raise RuntimeNotInstalledError(
            "A latency table of the runtime keras needs Keras's backend jax or torch; with the "
            "backend tensorflow, measure the runtime saved_model."
        )
    check_runtime(runtime)


def runtime_version(runtime: str) -> str:
    """The installed version of one of `OPERATION_RUNTIMES`, see `installed_version`.

    Raises:
        RuntimeNotInstalledError: See `check_operation_runtime`.
    """
    check_operation_runtime(runtime)
    version = installed_version(runtime)
    if version is None:
        # A build without a distribution has its version in the module.
        importlib.import_module(runtime_module(runtime) or runtime)
        version = installed_version(runtime)
    return version or UNKNOWN


def _keras(graph: Any, threads: int | None) -> Call:
    device = backend_device()
    tensors = [keras.ops.convert_to_tensor(values) for values in graph.random_inputs().values()]
    run = device.compiled(graph.function, graph.variables)
    return lambda: device.synchronize(run(*tensors))


def _tensorflow(graph: Any, threads: int | None) -> Call:
    import tensorflow as tf

    # Threads are set in the constructor, before any graph is made. Inputs are already on the
    # device, so no repetition times a copy.
    tensors = [tf.constant(values) for values in graph.random_inputs().values()]

    def call():
        (output,) = graph.function(*tensors).values()
        return output.numpy()

    return call


def _onnxruntime(graph: Any, threads: int | None) -> Call:
    import onnxruntime

    from keras_fasterseg.runtimes.conversion.onnx import onnx_model

    options, _ = session_options(threads)
    model = onnx_copies(onnx_model(graph.function), graph.copies)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    for name, values in graph.random_inputs().items():
        binding.bind_cpu_input(name, values)
    for output in session.get_outputs():
        binding.bind_output(output.name)
    return lambda: session.run_with_iobinding(binding)


def _openvino(graph: Any, threads: int | None) -> Call:
    import openvino

    from keras_fasterseg.runtimes.conversion.openvino import openvino_model

    model = openvino_model(graph.function, graph.copies)
    compiled = openvino.Core().compile_model(model, "CPU", openvino_options(threads))
    request = compiled.create_infer_request()
    for name, values in graph.random_inputs().items():
        request.set_tensor(name, openvino.Tensor(values))
    return request.infer


def _litert(graph: Any, threads: int | None) -> Call:
    from keras_fasterseg.runtimes.conversion.litert import litert_model

    interpreter = interpreter_class()(
        model_content=litert_model(graph.function),
        num_threads=threads or backend_device().intra_op_threads(),
    )
    interpreter.allocate_tensors()
    for detail, values in zip(
        interpreter.get_input_details(), graph.random_inputs().values(), strict=True
    ):
        interpreter.set_tensor(detail["index"], values)
    return interpreter.invoke


OPERATION_RUNTIMES: dict[str, Callable[..., Call]] = {
    "saved_model": _tensorflow,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "litert": _litert,
    KERAS: _keras,
}
"""By runtime, a function that makes a graph callable; the call returns when finished."""
