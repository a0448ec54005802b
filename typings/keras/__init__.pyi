# The package has no usable types: treat every name in it as Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
