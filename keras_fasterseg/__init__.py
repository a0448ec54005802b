"""Search, train, export and measure segmentation networks for one target device."""

__version__ = "0.1.0"
