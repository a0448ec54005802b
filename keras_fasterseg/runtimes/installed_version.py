"""Versions of installed runtimes, without importing any."""

import importlib.metadata

# By runtime, the distributions that can hold it; LiteRT's interpreter is in TensorFlow too.
_TENSORFLOW = ("tensorflow", "tensorflow-cpu")
_DISTRIBUTIONS = {
    "saved_model": _TENSORFLOW,
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    "litert": ("ai-edge-litert", *_TENSORFLOW),
}


def installed_version(runtime: str) -> str | None:
    """The version of a runtime that measures operations, as latency tables state it.

    Args:
        runtime: Name of the runtime.

    Returns:
        The version, for LiteRT after the name of the package; None if it is not installed or is
        none of those runtimes.
    """
    for name in _DISTRIBUTIONS.get(runtime, ()):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return f"{name.removesuffix('-cpu')} {version}" if runtime == "litert" else version
    return None
