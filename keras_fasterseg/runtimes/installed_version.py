"""Versions of installed runtimes, without importing any."""

import contextlib
import importlib.metadata
import importlib.util
import sys

UNKNOWN = "unknown"
"""The version of a runtime that does not say it; it equals no other."""

# By module, the distributions that mostly hold it; the first names it for LiteRT, whose interpreter
# is in TensorFlow too.
_DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    "ai_edge_litert": ("ai-edge-litert",),
}


def installed_version(runtime: str) -> str | None:
    """The version of a runtime that measures operations, as latency tables state it.

    Args:
        runtime: Name of the runtime.

    Returns:
        The version, for LiteRT after the name of the package; None if it is not installed or is
        none of those runtimes, or if no distribution holds it and it was not imported yet.
    """
    module = runtime_module(runtime)
    version = None if module is None else _version(module)
    if module is None or version is None or runtime != "litert":
        return version
    return f"{_DISTRIBUTIONS[module][0]} {version}"


def runtime_module(runtime: str) -> str | None:
    """The module to import of a runtime that measures operations; None for others."""
    if runtime == "saved_model":
        return "tensorflow"
    if runtime == "litert":
        return "ai_edge_litert" if importlib.util.find_spec("ai_edge_litert") else "tensorflow"
    return runtime if runtime in _DISTRIBUTIONS else None


def _version(module: str) -> str | None:
    # Looking for all distributions that hold the module takes a fraction of a second.
    for names in (
        lambda: _DISTRIBUTIONS[module],
        lambda: importlib.metadata.packages_distributions().get(module, ()),
    ):
        for name in names():
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                return importlib.metadata.version(name)
    return getattr(sys.modules.get(module), "__version__", None)
