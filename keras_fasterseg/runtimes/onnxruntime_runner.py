"""Runs an exported ONNX model with ONNX Runtime, on the CPU or on a GPU."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.artefact_format import ONNX
from keras_fasterseg.runtimes.file_runner import FileRunner, Shape
from keras_fasterseg.runtimes.onnx_file import check_self_contained
from keras_fasterseg.runtimes.onnxruntime_pool import loading_errors, session_options
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError, optional_import
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}

# Fallback providers for operations that a provider lacks; the CPU comes last.
_OTHERWISE = {"tensorrt": ["CUDAExecutionProvider"]}


def check_provider(provider: str) -> None:
    """Checks that the installed ONNX Runtime has `provider`, one of `PROVIDERS`.

    Raises:
        ValueError: Unknown provider.
        RuntimeNotInstalledError: ONNX Runtime is not installed, or was built without `provider`.
    """
    if provider not in PROVIDERS:
        raise ValueError(
            f"`provider` must be one of {', '.join(PROVIDERS)}. Received: provider={provider!r}"
        )
    onnxruntime = optional_import("onnxruntime", ONNX, "ONNX Runtime's runner")
    available = onnxruntime.get_available_providers()
    if PROVIDERS[provider] not in available:
        raise RuntimeNotInstalledError(
            f"The installed ONNX Runtime has no {PROVIDERS[provider]}, only {', '.join(available)}."
            " On a machine with an NVIDIA GPU, replace it: pip uninstall onnxruntime, then "
            "pip install onnxruntime-gpu."
        )


class OnnxRuntimeRunner(FileRunner):
    """Keeps results in ONNX Runtime's memory: the GPU's memory, if it runs on a GPU.

    Args:
        path: The file or the folder of the export.
        threads: Threads inside an operation, the same for all runners of a process; None uses one
            per physical core that this process may use.
        provider: `cpu`; or `cuda` or `tensorrt` if ONNX Runtime has them.

    Raises:
        ValueError: See `FileRunner` and `check_provider`.
        RuntimeNotInstalledError: See `check_provider`.
    """

    formats = (ONNX,)

    def __init__(self, path: PathLike, threads: int | None = None, provider: str = "cpu") -> None:
        check_provider(provider)
        self.runtime = "onnxruntime" if provider == "cpu" else f"onnxruntime_{provider}"
        super().__init__(path, threads)
        self._provider = provider
        self._session: Any = None
        self._pool_threads = 1

    def load(self) -> None:
        if self._session is not None:
            return
        import onnxruntime

        check_self_contained(self.path)
        options, self._pool_threads = session_options(self._threads)
        try:
            session = onnxruntime.InferenceSession(
                str(self.path),
                options,
                providers=[PROVIDERS[self._provider], *_OTHERWISE.get(self._provider, [])],
            )
        except loading_errors() as error:
            raise self._damaged(error) from error
        self._check_loaded(session.get_providers())
        self._set_interface(
            {
                each.name: ([_size(side) for side in each.shape], each.type == "tensor(uint8)")
                for each in session.get_inputs()
            },
            [each.name for each in session.get_outputs()],
        )
        self._session = session

    def _check_loaded(self, providers: Sequence[str]) -> None:
        # ONNX Runtime drops a provider whose libraries are missing, and only logs a line.
        wanted = PROVIDERS[self._provider]
        if providers[0] != wanted:
            raise RuntimeNotInstalledError(
                f"ONNX Runtime could not load its {wanted} (it uses {providers[0]} instead): "
                "install the versions of CUDA, cuDNN and TensorRT that it was built for."
            )

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shapes of inputs and outputs by name, None for free sizes. Loads the file."""
        self.load()
        tensors = (*self._session.get_inputs(), *self._session.get_outputs())
        return {each.name: [_size(side) for side in each.shape] for each in tensors}

    def synchronize(self) -> None:
        """Does nothing: a call returns when its outputs are computed."""

    def _infer(self, images: np.ndarray, output: str) -> Any:
        binding = self._session.io_binding()
        binding.bind_cpu_input(INPUT_NAME, np.ascontiguousarray(images))
        binding.bind_output(output, "cpu" if self._provider == "cpu" else "cuda")
        self._session.run_with_iobinding(binding)
        return binding.get_outputs()[0]

    def _fetch(self, handle: Any) -> np.ndarray:
        return handle.numpy()

    def _version(self) -> str:
        import onnxruntime

        return f"onnxruntime {onnxruntime.__version__}"

    def _used_threads(self) -> int:
        return self._pool_threads

    def _device(self) -> str:
        # The first provider; others run the operations that it lacks.
        return f"{self._provider.upper()} ({self._session.get_providers()[0]})"


def _size(side: int | str | None) -> int | None:
    """The size as a number; None for a free size, which has a name or None."""
    return side if isinstance(side, int) else None
