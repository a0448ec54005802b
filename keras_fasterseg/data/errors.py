"""The error that a data set raises about its files."""


class DataError(ValueError):
    """A file or folder of a data set is not as it must be; the message names it and the remedy."""
