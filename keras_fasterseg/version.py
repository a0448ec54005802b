"""Version of the package, used by its code, its metadata and its output files."""

__version__ = "0.1.0"
