"""Found in place of this folder by `python tools/NAME.py`, which looks beside the file first.

Makes way for the package, so that a tool runs by its path as well, from wherever it is called.
"""

import importlib
import pathlib
import sys

_HERE = pathlib.Path(__file__).resolve().parent
_ROOT = next(folder for folder in _HERE.parents if (folder / "keras_fasterseg").is_dir())
sys.path[:] = [str(_ROOT), *(path for path in sys.path if pathlib.Path(path).resolve() != _HERE)]
del sys.modules["tools"]
importlib.import_module("tools")
