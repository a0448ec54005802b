"""The error for faulty files of a data set."""


class DataError(ValueError):
    """A file or folder of a data set is faulty; the message names it and the remedy."""
