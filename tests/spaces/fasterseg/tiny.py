"""Settings of a supernet that the tests of every space can afford."""

from tests.search.tiny_space import SETTINGS

__all__ = ["SETTINGS"]
