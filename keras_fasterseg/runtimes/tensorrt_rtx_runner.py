"""Runs a TensorRT-RTX engine, which compiles its kernels for this GPU when it is loaded."""

from keras_fasterseg.runtimes.artefact_format import TENSORRT_RTX
from keras_fasterseg.runtimes.tensorrt_runner import TensorRtRunner


class TensorRtRtxRunner(TensorRtRunner):
    """Same as `TensorRtRunner`, with the module `tensorrt_rtx`.

    Args:
        path: The engine's file (`.rtx`) or the folder of the export.
        threads: Must be None: an engine uses no CPU threads.

    Raises:
        ValueError: See `TensorRtRunner`.
        RuntimeNotInstalledError: TensorRT-RTX or CUDA's bindings are not installed.
        DeviceError: See `TensorRtRunner`.
    """

    runtime = TENSORRT_RTX
    formats = (TENSORRT_RTX,)
    _rebuild = (
        "it needs a GPU, with its driver, of a compute capability that it was built for, and the "
        "TensorRT-RTX version that built it."
    )
