"""Late imports of packages that only some runtimes need, with a helpful error if missing.

Backend switch: converters of Keras models need the backend tensorflow.
"""

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


def require_tensorflow(purpose: str, *, as_backend: bool = True) -> None:
    """Checks for TensorFlow before its first import.

    Args:
        purpose: Subject of the error's sentence, such as `"The runtime saved_model"`.
        as_backend: Whether Keras must also run on it, as for a conversion of a Keras model.

    Raises:
        RuntimeNotInstalledError: TensorFlow is not installed, or Keras runs on another backend.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise RuntimeNotInstalledError(
            f'{purpose} needs TensorFlow: pip install "keras_fasterseg[cpu]".'
        )
    if not as_backend:
        return
    # Imported here: clients of servers use this module without Keras.
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeNotInstalledError(
            f"{purpose} runs on Keras's backend tensorflow; set KERAS_BACKEND=tensorflow. "
            f"Received: the backend {keras.backend.backend()}"
        )
