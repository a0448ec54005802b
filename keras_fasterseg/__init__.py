"""Search, train, export and measure segmentation networks for one target device."""

# Not on demand: Keras loads a saved model only of classes that have been registered by then.
from keras_fasterseg.segmenter import Segmenter
from keras_fasterseg.version import __version__

__all__ = ["Segmenter", "__version__"]
