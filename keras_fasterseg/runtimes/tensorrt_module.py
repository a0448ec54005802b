"""The two flavours of TensorRT: their modules and their error messages."""

import importlib
from typing import Any

from absl import logging

from keras_fasterseg.runtimes.artefact_format import TENSORRT, TENSORRT_RTX
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError

_MODULES = {TENSORRT: "tensorrt", TENSORRT_RTX: "tensorrt_rtx"}
_ADVICE = {
    TENSORRT: "NVIDIA's tensorrt: pip install tensorrt --extra-index-url https://pypi.nvidia.com "
    "(the wheel on PyPI alone is a stub), or use NVIDIA's container.",
    TENSORRT_RTX: 'TensorRT-RTX: pip install "keras_fasterseg[rtx]".',
}

FLAVOURS = tuple(_MODULES)


def tensorrt_module(flavour: str, purpose: str) -> Any:
    """The module `tensorrt` or `tensorrt_rtx`.

    Args:
        flavour: One of `FLAVOURS`.
        purpose: Subject of the error's sentence, such as `"The runtime tensorrt"`.

    Raises:
        RuntimeNotInstalledError: The module is missing, is a stub without its libraries, or does
            not load.
        ValueError: Unknown flavour.
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
    """A logger for `module` that collects error messages in its list `errors`.

    TensorRT itself only returns None or False; the reason is only in its log.
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
    """The first of the logger's `errors`, or `otherwise`, on one line without a full stop."""
    text = errors[0] if errors else otherwise
    return " ".join(text.split()).rstrip(".")
