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


# Keras loads a saved model only of classes that have been registered by then, so that importing
# this package imports them; unless the importer has said, as the tools do, that he needs none yet.
if not globals().get("ON_DEMAND"):
    from keras_fasterseg.segmenter import Segmenter
