"""Search, train, export and measure segmentation networks for one target device."""

from typing import TYPE_CHECKING, Any

from keras_fasterseg.version import __version__

if TYPE_CHECKING:
    from keras_fasterseg.segmenter import Segmenter

__all__ = ["Segmenter", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Segmenter":
        from keras_fasterseg.segmenter import Segmenter

        return Segmenter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# Keras can load saved models only of registered classes, so importing this package registers them.
# The tools set ON_DEMAND to postpone that.
if not globals().get("ON_DEMAND"):
    from keras_fasterseg.segmenter import Segmenter
