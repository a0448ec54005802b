"""Runs an engine of TensorRT-RTX, whose kernels are compiled for this GPU when it is loaded."""

from keras_fasterseg.runtimes.artefact_format import TENSORRT_RTX
from keras_fasterseg.runtimes.tensorrt_runner import TensorRtRunner


class TensorRtRtxRunner(TensorRtRunner):
    """What `TensorRtRunner` does, by the module `tensorrt_rtx`.

    Args:
        path: The engine's file (`.rtx`) or the folder of the export.
        threads: Must be None: an engine uses none on the CPU.

    Raises:
        ValueError: See `TensorRtRunner`.
        RuntimeNotInstalledError: TensorRT-RTX or CUDA's bindings are not installed.
        DeviceError: See `TensorRtRunner`.
    """

    runtime = TENSORRT_RTX
    formats = (TENSORRT_RTX,)
    _rebuild = (
        "it needs a GPU of one of the compute capabilities that it was built for, with its "
        "driver, and the version of TensorRT-RTX that built it."
    )
