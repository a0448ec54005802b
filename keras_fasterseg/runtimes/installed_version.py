"""Versions of installed runtimes, found without importing them."""

import contextlib
import importlib.metadata
import importlib.util
import sys

UNKNOWN = "unknown"
"""Stands in for an unknown version; it equals no other version."""

# Usual distributions of each module. Where a runtime has several modules, the first one is part of
# the version.
_DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    "ai_edge_litert": ("ai-edge-litert",),
    "jax": ("jax",),
    "torch": ("torch",),
}


def installed_version(runtime: str) -> str | None:
    """The version of a runtime that measures operations, as latency tables state it.

    Args:
        runtime: Name of the runtime.

    Returns:
        The version; for LiteRT and Keras, the package name precedes it. None if the runtime is not
        installed or does not measure operations, or if it has no distribution and is not imported
        yet.
    """
    module = runtime_module(runtime)
    version = None if module is None else _version(module)
    if module is None or version is None or runtime not in ("litert", "keras"):
        return version
    return f"{_DISTRIBUTIONS[module][0]} {version}"


def runtime_module(runtime: str) -> str | None:
    """The module to import for a runtime that measures operations; None for others."""
    if runtime == "saved_model":
        return "tensorflow"
    if runtime == "keras":
        import keras

        return keras.backend.backend()
    if runtime == "litert":
        return "ai_edge_litert" if importlib.util.find_spec("ai_edge_litert") else "tensorflow"
    return runtime if runtime in _DISTRIBUTIONS else None


def _version(module: str) -> str | None:
    # A search through all distributions takes a fraction of a second, so it comes second.
    for names in (
        lambda: _DISTRIBUTIONS[module],
        lambda: importlib.metadata.packages_distributions().get(module, ()),
    ):
        for name in names():
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                return importlib.metadata.version(name)
    return getattr(sys.modules.get(module), "__version__", None)
