"""The version of the package, for the package itself, its metadata and what it writes."""

__version__ = "0.1.0"
