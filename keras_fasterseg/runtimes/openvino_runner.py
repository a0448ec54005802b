"""Runs an exported OpenVINO or ONNX model with OpenVINO on the CPU."""

from typing import Any

import numpy as np
import psutil

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.artefact_format import ONNX, OPENVINO
from keras_fasterseg.runtimes.file_runner import FileRunner
from keras_fasterseg.runtimes.onnx_file import check_self_contained
from keras_fasterseg.runtimes.optional_import import optional_import
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME

_DEVICE = "CPU"


class OpenVinoRunner(FileRunner):
    """Compiles the network for the lowest latency of a single call, in float32.

    Args:
        path: The file or the folder of the export.
        threads: Threads per call; None leaves the choice to OpenVINO, within the cores that this
            process may use.

    Raises:
        ValueError: See `FileRunner`.
        RuntimeNotInstalledError: OpenVINO is not installed.
    """

    runtime = "openvino"
    formats = (OPENVINO, ONNX)

    def __init__(self, path: PathLike, threads: int | None = None) -> None:
        optional_import("openvino", "openvino", "The runtime openvino")
        super().__init__(path, threads)
        self._compiled: Any = None
        self._request: Any = None

    def load(self) -> None:
        if self._compiled is not None:
            return
        import openvino

        if self._artefact.format == ONNX:
            check_self_contained(self.path)
        core = openvino.Core()
        try:
            model = core.read_model(self.path)
        except RuntimeError as error:
            # The reason is in the last line.
            reason = str(error).strip().rpartition("\n")[2]
            raise self._damaged(RuntimeError(reason)) from error
        inputs = {
            each.any_name: (
                _sizes(each.get_partial_shape()),
                each.get_element_type() == openvino.Type.u8,
            )
            for each in model.inputs
        }
        self._set_interface(inputs, [each.any_name for each in model.outputs])
        self._compiled = core.compile_model(model, _DEVICE, openvino_options(self._threads))
        self._request = self._compiled.create_infer_request()

    def synchronize(self) -> None:
        """Does nothing: a call returns when its outputs are computed."""

    def _infer(self, images: np.ndarray, output: str) -> Any:
        # Shared outputs are views of the request's memory instead of copies.
        self._request.infer({INPUT_NAME: images}, share_inputs=True, share_outputs=True)
        return self._request.get_tensor(output)

    def _fetch(self, handle: Any) -> np.ndarray:
        return handle.data.copy()

    def _version(self) -> str:
        import openvino

        return f"openvino {openvino.__version__}"

    def _used_threads(self) -> int:
        return int(self._compiled.get_property("INFERENCE_NUM_THREADS"))

    def _device(self) -> str:
        import openvino

        name = openvino.Core().get_property(_DEVICE, "FULL_DEVICE_NAME")
        return f"{_DEVICE} ({name})"


def openvino_options(threads: int | None) -> dict[str, Any]:
    """Options for the lowest latency of a single call, in float32.

    Args:
        threads: Threads per call. None leaves the choice to OpenVINO, unless this process may not
            use all cores of the machine: OpenVINO does not always notice that.
    """
    # By default, OpenVINO uses bfloat16 if the processor supports it.
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    available = available_cores().physical_threads
    if threads is None and available < (psutil.cpu_count(logical=False) or 1):
        threads = available
    return options if threads is None else {**options, "INFERENCE_NUM_THREADS": threads}


def _sizes(shape: Any) -> list[int | None]:
    return [side.get_length() if side.is_static else None for side in shape]
