# The package has no usable types: whatever comes from it is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
