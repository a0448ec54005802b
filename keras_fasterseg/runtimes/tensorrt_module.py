"""The two flavours of TensorRT: which module each is, and what their loggers say."""

import importlib
from typing import Any

from absl import logging

from keras_fasterseg.runtimes.artefact_format import TENSORRT, TENSORRT_RTX
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError

_MODULES = {TENSORRT: "tensorrt", TENSORRT_RTX: "tensorrt_rtx"}
_ADVICE = {
    TENSORRT: "NVIDIA's tensorrt: pip install tensorrt --extra-index-url https://pypi.nvidia.com "
    "(the wheel on PyPI alone is a stub), or take NVIDIA's container.",
    TENSORRT_RTX: 'TensorRT-RTX: pip install "keras_fasterseg[rtx]".',
}

FLAVOURS = tuple(_MODULES)


def tensorrt_module(flavour: str, purpose: str) -> Any:
    """The module `tensorrt` or `tensorrt_rtx`.

    Args:
        flavour: One of `FLAVOURS`.
        purpose: What wants it, as a sentence begins: `"The runtime tensorrt"`.

    Raises:
        RuntimeNotInstalledError: It is missing, a stub without its libraries, or does not load.
        ValueError: There is no such flavour.
    """
    if flavour not in _MODULES:
        raise ValueError(
            f"`flavour` must be one of {', '.join(FLAVOURS)}. Received: flavour={flavour!r}"
        )
    try:
        module = importlib.import_module(_MODULES[flavour])
        module.Runtime  # noqa: B018 (the stub on PyPI has no such attribute)
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        raise RuntimeNotInstalledError(f"{purpose} needs {_ADVICE[flavour]}") from error
    return module


def recording_logger(module: Any) -> Any:
    """A logger of `module` that keeps what goes wrong in its list `errors`.

    TensorRT itself answers with None or False, and says why nowhere else.
    """
    severe = (module.ILogger.INTERNAL_ERROR, module.ILogger.ERROR)

    class RecordingLogger(module.ILogger):
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in severe:
                self.errors.append(msg)
            elif severity == module.ILogger.WARNING:
                logging.debug("%s: %s", module.__name__, msg)

    return RecordingLogger()


def reason(errors: list[str], otherwise: str) -> str:
    """The first of the logger's `errors` on one line, without a full stop at its end."""
    text = errors[0] if errors else otherwise
    return " ".join(text.split()).rstrip(".")
