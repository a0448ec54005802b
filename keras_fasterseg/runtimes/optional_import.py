"""Packages that only some runtimes need: imported late, and missed in one sentence."""

import importlib
import importlib.util
from typing import Any


class RuntimeNotInstalledError(ValueError):
    """A runtime or a converter needs what this machine does not have; the message says what."""


def optional_import(module: str, extra: str, purpose: str) -> Any:
    """The module of that name.

    Args:
        module: Name to import, such as `onnxruntime`.
        extra: The extra of this package that installs it, such as `onnx`.
        purpose: What wants it, as a sentence begins: `"The runtime onnxruntime"`.

    Raises:
        RuntimeNotInstalledError: The module is missing or cannot be loaded.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        # What is installed and does not load (a missing system library) needs another cure.
        reason = "" if importlib.util.find_spec(module.partition(".")[0]) is None else f" ({error})"
        raise RuntimeNotInstalledError(
            f"{purpose} needs {module.partition('.')[0]}{reason}: "
            f'pip install "keras_fasterseg[{extra}]".'
        ) from error
