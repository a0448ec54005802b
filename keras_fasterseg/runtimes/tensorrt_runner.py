"""Runs a TensorRT engine, built for this GPU and this version of TensorRT."""

import contextlib
import dataclasses
import importlib
import weakref
from typing import Any

import numpy as np

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.artefact_format import TENSORRT
from keras_fasterseg.runtimes.file_runner import FileRunner
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME
from keras_fasterseg.runtimes.tensorrt_module import reason, recording_logger, tensorrt_module


def check_tensorrt(flavour: str = TENSORRT) -> tuple[Any, Any]:
    """The module of a TensorRT flavour, see `tensorrt_module`, and CUDA's `runtime`.

    Raises:
        RuntimeNotInstalledError: Either module is missing or is a stub without its libraries.
    """
    module = tensorrt_module(flavour, f"The runtime {flavour}")
    try:
        runtime = importlib.import_module("cuda.bindings.runtime")
    except (ImportError, OSError, RuntimeError) as error:
        raise RuntimeNotInstalledError(
            f"The runtime {flavour} needs CUDA's bindings and an NVIDIA GPU: "
            "pip install cuda-bindings."
        ) from error
    return module, runtime


class DeviceError(OSError):
    """An operation on the device failed, for example because its memory ran out."""


@dataclasses.dataclass(frozen=True)
class _Buffer:
    """GPU memory for one input or output of static shape."""

    address: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize


class TensorRtRunner(FileRunner):
    """Runs an engine on one CUDA stream, and reuses its GPU memory between calls.

    Stream and memory are freed when the runner is no longer used, or when `load` fails.

    Args:
        path: The engine's file (`.plan`) or the folder of the export.
        threads: Must be None: an engine uses no CPU threads.

    Raises:
        ValueError: See `FileRunner`; or `threads` is set.
        RuntimeNotInstalledError: TensorRT or CUDA's bindings are not installed.
        DeviceError: The GPU or its driver fails in `load` or in a call.
    """

    runtime = TENSORRT
    formats = (TENSORRT,)
    _rebuild = (
        "an engine runs only on the GPU model and the TensorRT version that it was built for; "
        "build it again on this machine."
    )

    def __init__(self, path: PathLike, threads: int | None = None) -> None:
        self._tensorrt, self._cuda = check_tensorrt(self.runtime)
        super().__init__(path, threads)
        if threads is not None:
            raise ValueError(
                f"A TensorRT engine uses no CPU threads. Received: threads={threads}; leave it "
                "unset."
            )
        self._logger: Any = None
        self._context: Any = None
        self._stream: Any = None
        self._buffers: dict[str, _Buffer] = {}

    def load(self) -> None:
        if self._context is not None:
            return
        self._logger = recording_logger(self._tensorrt)
        engine = self._engine()
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        self._note_interface(engine, names)
        with contextlib.ExitStack() as resources:
            stream = self._call(self._cuda.cudaStreamCreate())
            resources.callback(self._cuda.cudaStreamDestroy, stream)
            buffers = {name: self._allocate(engine, name, resources) for name in names}
            context = engine.create_execution_context()
            if context is None:
                raise self._failure("TensorRT could not prepare")
            for name, buffer in buffers.items():
                if not context.set_tensor_address(name, buffer.address):
                    raise self._failure(f"TensorRT rejected the memory for {name} of")
            weakref.finalize(self, resources.pop_all().close)
        self._stream, self._buffers, self._context = stream, buffers, context

    def synchronize(self) -> None:
        if self._stream is not None:
            self._call(self._cuda.cudaStreamSynchronize(self._stream))

    def _engine(self) -> Any:
        runtime = self._tensorrt.Runtime(self._logger)
        engine = runtime.deserialize_cuda_engine(self.path.read_bytes())
        if engine is None:
            # Without a GPU, the engine itself may be valid.
            kind = ValueError if self._has_device() else DeviceError
            raise kind(
                f"{self.path} cannot be loaded by {self._version()} "
                f"({reason(self._logger.errors, 'no reason given')}): {self._rebuild}"
            )
        return engine

    def _note_interface(self, engine: Any, names: list[str]) -> None:
        trt = self._tensorrt
        inputs = [n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT]
        self._set_interface(
            {
                name: (
                    [None if side < 0 else side for side in engine.get_tensor_shape(name)],
                    engine.get_tensor_dtype(name) == trt.DataType.UINT8,
                )
                for name in inputs
            },
            [name for name in names if name not in inputs],
        )
        if None in self._input_shape:
            raise ValueError(
                f"{self.path} accepts images of several sizes, so its memory cannot be allocated "
                "in advance; build the engine for one size."
            )

    def _infer(self, images: np.ndarray, output: str) -> _Buffer:
        buffer = self._buffers[INPUT_NAME]
        images = np.ascontiguousarray(images)
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        # From unpinned memory, the copy returns once the images have been read.
        self._call(
            self._cuda.cudaMemcpyAsync(
                buffer.address, images.ctypes.data, buffer.size, kind, self._stream
            )
        )
        self._logger.errors.clear()
        if not self._context.execute_async_v3(int(self._stream)):
            raise self._failure("TensorRT could not run")
        return self._buffers[output]

    def _fetch(self, handle: _Buffer) -> np.ndarray:
        result = np.empty(handle.shape, handle.dtype)
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call(
            self._cuda.cudaMemcpyAsync(
                result.ctypes.data, handle.address, handle.size, kind, self._stream
            )
        )
        self.synchronize()
        return result

    def _version(self) -> str:
        return f"{self.runtime} {self._tensorrt.__version__}"

    def _used_threads(self) -> int:
        return 0

    def _device(self) -> str:
        device = self._call(self._cuda.cudaGetDevice())
        return self._call(self._cuda.cudaGetDeviceProperties(device)).name.decode()

    def _has_device(self) -> bool:
        status, count = self._cuda.cudaGetDeviceCount()
        return status == self._cuda.cudaError_t.cudaSuccess and count > 0

    def _allocate(self, engine: Any, name: str, resources: contextlib.ExitStack) -> _Buffer:
        shape = tuple(engine.get_tensor_shape(name))
        dtype = np.dtype(self._tensorrt.nptype(engine.get_tensor_dtype(name)))
        size = int(np.prod(shape)) * dtype.itemsize
        buffer = _Buffer(self._call(self._cuda.cudaMalloc(size)), shape, dtype)
        resources.callback(self._cuda.cudaFree, buffer.address)
        return buffer

    def _call(self, result: tuple) -> Any:
        """The value of a CUDA call.

        Raises:
            DeviceError: Its status reports a failure.
        """
        status, *values = result
        if status != self._cuda.cudaError_t.cudaSuccess:
            raise DeviceError(f"CUDA failed while {self.path} ran: {status.name}.")
        return values[0] if values else None

    def _failure(self, what: str) -> DeviceError:
        why = reason(self._logger.errors, "no reason given")
        return DeviceError(f"{what} {self.path}: {why}.")
