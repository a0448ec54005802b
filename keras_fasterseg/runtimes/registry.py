"""All runtimes by name, with their formats, requirements and runners."""

import dataclasses
import importlib.util
from collections.abc import Callable

from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.artefact_format import (
    LITERT,
    ONNX,
    OPENVINO,
    SAVED_MODEL,
    TENSORRT,
    TENSORRT_RTX,
)
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.optional_import import (
    RuntimeNotInstalledError,
    require_tensorflow,
)

KERAS = "keras"
"""Name of the runtime and of the format of networks in memory."""

Loader = Callable[[PathLike, int | None], Runner]


def _nothing() -> None:
    """Check of a runtime that needs only its distributions."""


@dataclasses.dataclass(frozen=True)
class Runtime:
    """A way to run a network.

    Attributes:
        name: Name for users and reports.
        formats: Formats that it runs; a network is converted to the first.
        load: Makes a runner from a path and a number of threads (None: the runtime's choice). It
            imports the runtime's package, so nothing is imported earlier. None for networks in
            memory.
        distributions: Required distributions, each with the name of its module.
        extra: The extra of this package that installs them.
        check: Raises RuntimeNotInstalledError if anything other than a distribution is missing.
    """

    name: str
    formats: tuple[str, ...]
    load: Loader | None
    distributions: dict[str, str] = dataclasses.field(default_factory=dict)
    extra: str | None = None
    check: Callable[[], None] = _nothing

    @property
    def runs_on_backend(self) -> bool:
        """True if the number of threads must be set before Keras's backend starts."""
        return self.formats[0] in (KERAS, SAVED_MODEL)


def check_runtime(name: str) -> Runtime:
    """The runtime of that name, after a check that it can be used here.

    Raises:
        ValueError: Unknown runtime.
        RuntimeNotInstalledError: A requirement of the runtime is not installed.
    """
    if name not in RUNTIMES:
        raise ValueError(f"Unknown runtime {name!r}; choose one of {', '.join(RUNTIMES)}.")
    runtime = RUNTIMES[name]
    missing = [
        distribution
        for distribution, module in runtime.distributions.items()
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        raise RuntimeNotInstalledError(
            f"The runtime {name} needs {' and '.join(missing)}: "
            f'pip install "keras_fasterseg[{runtime.extra}]".'
        )
    runtime.check()
    return runtime


def own_runtime(format: str) -> Runtime:
    """The runtime for which artefacts of an export `format` are made."""
    return next(each for each in RUNTIMES.values() if each.formats[0] == format)


def _saved_model(path: PathLike, threads: int | None) -> Runner:
    from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner

    return SavedModelRunner(path, threads)


def _xla(path: PathLike, threads: int | None) -> Runner:
    from keras_fasterseg.runtimes.xla_runner import XlaRunner

    return XlaRunner(path, threads)


def _onnxruntime(provider: str) -> Loader:
    def load(path: PathLike, threads: int | None) -> Runner:
        from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner

        return OnnxRuntimeRunner(path, threads, provider)

    return load


def _check_onnxruntime(provider: str) -> Callable[[], None]:
    def check() -> None:
        from keras_fasterseg.runtimes.onnxruntime_runner import check_provider

        check_provider(provider)

    return check


def _openvino(path: PathLike, threads: int | None) -> Runner:
    from keras_fasterseg.runtimes.openvino_runner import OpenVinoRunner

    return OpenVinoRunner(path, threads)


def _litert(path: PathLike, threads: int | None) -> Runner:
    from keras_fasterseg.runtimes.litert_runner import LiteRtRunner

    return LiteRtRunner(path, threads)


def _tftrt(path: PathLike, threads: int | None) -> Runner:
    from keras_fasterseg.runtimes.tftrt_runner import TfTrtRunner

    return TfTrtRunner(path, threads)


def _check_tensorflow(name: str) -> Callable[[], None]:
    def check() -> None:
        require_tensorflow(f"The runtime {name}", as_backend=False)

    return check


def _check_litert() -> None:
    if importlib.util.find_spec("ai_edge_litert") is None:
        # TensorFlow has an interpreter, too.
        require_tensorflow("The runtime litert without ai-edge-litert", as_backend=False)


def _check_tftrt() -> None:
    _check_tensorflow("tftrt")()
    from keras_fasterseg.runtimes.tftrt_graph import check_tftrt

    check_tftrt()


def _tensorrt(path: PathLike, threads: int | None) -> Runner:
    from keras_fasterseg.runtimes.tensorrt_runner import TensorRtRunner

    return TensorRtRunner(path, threads)


def _tensorrt_rtx(path: PathLike, threads: int | None) -> Runner:
    from keras_fasterseg.runtimes.tensorrt_rtx_runner import TensorRtRtxRunner

    return TensorRtRtxRunner(path, threads)


def _check_tensorrt(flavour: str) -> Callable[[], None]:
    def check() -> None:
        from keras_fasterseg.runtimes.tensorrt_runner import check_tensorrt

        check_tensorrt(flavour)

    return check


_ORT = {"onnxruntime": "onnxruntime"}

RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        Runtime(KERAS, (KERAS,), None),
        *(
            Runtime(name, (SAVED_MODEL,), load, check=_check_tensorflow(name))
            for name, load in (("saved_model", _saved_model), ("xla", _xla))
        ),
        Runtime("tftrt", (SAVED_MODEL,), _tftrt, check=_check_tftrt),
        Runtime("onnxruntime", (ONNX,), _onnxruntime("cpu"), _ORT, ONNX),
        *(
            Runtime(
                f"onnxruntime_{provider}",
                (ONNX,),
                _onnxruntime(provider),
                _ORT,
                ONNX,
                _check_onnxruntime(provider),
            )
            for provider in ("cuda", "tensorrt")
        ),
        Runtime("openvino", (OPENVINO, ONNX), _openvino, {"openvino": "openvino"}, OPENVINO),
        Runtime("litert", (LITERT,), _litert, check=_check_litert),
        Runtime(TENSORRT, (TENSORRT,), _tensorrt, check=_check_tensorrt(TENSORRT)),
        Runtime(TENSORRT_RTX, (TENSORRT_RTX,), _tensorrt_rtx, check=_check_tensorrt(TENSORRT_RTX)),
    )
}
