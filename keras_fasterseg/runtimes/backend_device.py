"""Backend switch: the device, the threads and the compiler of Keras's backend."""

import importlib
from types import ModuleType

import keras


def backend_device() -> ModuleType:
    """The module `tensorflow_device`, `jax_device` or `torch_device` of Keras's backend.

    All three have the functions `version`, `request_threads`, `intra_op_threads`, `device_name`,
    `synchronize` and `compiled`.
    """
    return importlib.import_module(f"keras_fasterseg.runtimes.{keras.backend.backend()}_device")
