"""Stand-in for the package `tools` when a tool is run by its path: `python tools/NAME.py`.

Python then searches the folder of that file first and finds this module instead of the package.
It imports the package in its own place, so that a tool also runs by its path, from any folder.
"""

import importlib
import pathlib
import sys

_HERE = pathlib.Path(__file__).resolve().parent
_ROOT = next(folder for folder in _HERE.parents if (folder / "keras_fasterseg").is_dir())
sys.path[:] = [str(_ROOT), *(path for path in sys.path if pathlib.Path(path).resolve() != _HERE)]
del sys.modules["tools"]
importlib.import_module("tools")
