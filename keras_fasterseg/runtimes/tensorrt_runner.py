"""Runs a TensorRT engine, built for this GPU and this version of TensorRT."""

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


def check_tensorrt() -> tuple[Any, Any]:
    """The modules `tensorrt` and CUDA's `runtime`.

    Raises:
        RuntimeNotInstalledError: One of them is missing or is a stub without its libraries.
    """
    try:
        tensorrt = importlib.import_module("tensorrt")
        runtime = importlib.import_module("cuda.bindings.runtime")
        tensorrt.Runtime  # noqa: B018 (the stub on PyPI has no such attribute)
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        raise RuntimeNotInstalledError(
            "The runtime tensorrt needs NVIDIA's tensorrt and cuda-python on a machine with an "
            "NVIDIA GPU: pip install tensorrt cuda-python --extra-index-url "
            "https://pypi.nvidia.com."
        ) from error
    return tensorrt, runtime


class DeviceError(OSError):
    """The device could not do what was asked of it, for want of memory for example."""


@dataclasses.dataclass(frozen=True)
class _Buffer:
    """Memory of the GPU for one input or output of static shape."""

    address: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize


class TensorRtRunner(FileRunner):
    """One stream; inputs and outputs keep their memory on the GPU from call to call.

    Args:
        path: The engine's file (`.plan`) or the folder of the export.
        threads: Must be None: an engine uses none on the CPU.

    Raises:
        ValueError: See `FileRunner`; or `threads` is given.
        RuntimeNotInstalledError: TensorRT or CUDA's bindings are not installed.
    """

    runtime = "tensorrt"
    formats = (TENSORRT,)

    def __init__(self, path: PathLike, threads: int | None = None) -> None:
        self._tensorrt, self._cuda = check_tensorrt()
        super().__init__(path, threads)
        if threads is not None:
            raise ValueError(
                f"A TensorRT engine has no threads to choose. Received: threads={threads}; leave "
                "it unset."
            )
        self._context: Any = None
        self._stream: Any = None
        self._buffers: dict[str, _Buffer] = {}

    def load(self) -> None:
        if self._context is not None:
            return
        trt = self._tensorrt
        runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        engine = runtime.deserialize_cuda_engine(self.path.read_bytes())
        if engine is None:
            raise ValueError(
                f"{self.path} cannot be loaded: an engine runs only on the kind of GPU and the "
                f"version of TensorRT that it was built for, here {trt.__version__}; build it "
                "again on this machine."
            )
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
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
                f"{self.path} takes images of several sizes, for which no memory can be set aside; "
                "build the engine for one size."
            )
        context = engine.create_execution_context()
        self._stream = self._call(self._cuda.cudaStreamCreate())
        for name in names:
            self._buffers[name] = self._allocate(engine, name)
            weakref.finalize(self, self._cuda.cudaFree, self._buffers[name].address)
            context.set_tensor_address(name, self._buffers[name].address)
        self._context = context

    def synchronize(self) -> None:
        if self._stream is not None:
            self._call(self._cuda.cudaStreamSynchronize(self._stream))

    def _infer(self, images: np.ndarray, output: str) -> _Buffer:
        buffer = self._buffers[INPUT_NAME]
        images = np.ascontiguousarray(images)
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        # From memory that is not pinned the copy returns when the images have been read.
        self._call(
            self._cuda.cudaMemcpyAsync(
                buffer.address, images.ctypes.data, buffer.size, kind, self._stream
            )
        )
        if not self._context.execute_async_v3(self._stream):
            raise DeviceError(f"TensorRT could not run {self.path}; its log says why.")
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
        return f"tensorrt {self._tensorrt.__version__}"

    def _used_threads(self) -> int:
        return 0

    def _device(self) -> str:
        return self._call(self._cuda.cudaGetDeviceProperties(0)).name.decode()

    def _allocate(self, engine: Any, name: str) -> _Buffer:
        shape = tuple(engine.get_tensor_shape(name))
        dtype = np.dtype(self._tensorrt.nptype(engine.get_tensor_dtype(name)))
        size = int(np.prod(shape)) * dtype.itemsize
        return _Buffer(self._call(self._cuda.cudaMalloc(size)), shape, dtype)

    def _call(self, result: tuple) -> Any:
        """What a function of CUDA returns beside its status."""
        status, *values = result
        if status != self._cuda.cudaError_t.cudaSuccess:
            raise DeviceError(f"CUDA failed while {self.path} ran: {status.name}.")
        return values[0] if values else None
