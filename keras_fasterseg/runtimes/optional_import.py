"""Late imports of packages that only some runtimes need, with a helpful error if missing."""

import importlib
import importlib.util
from typing import Any


class RuntimeNotInstalledError(ValueError):
    """This machine lacks something that a runtime or a converter needs; the message names it."""


def optional_import(module: str, extra: str, purpose: str) -> Any:
    """Imports a module that may not be installed.

    Args:
        module: Name to import, such as `onnxruntime`.
        extra: The extra of this package that installs it, such as `onnx`.
        purpose: Subject of the error's sentence, such as `"The runtime onnxruntime"`.

    Raises:
        RuntimeNotInstalledError: The module is missing or cannot be loaded.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        # An installed module that fails to load (a missing system library) needs another fix.
        reason = "" if importlib.util.find_spec(module.partition(".")[0]) is None else f" ({error})"
        raise RuntimeNotInstalledError(
            f"{purpose} needs {module.partition('.')[0]}{reason}: "
            f'pip install "keras_fasterseg[{extra}]".'
        ) from error
