"""Reads weight files of the released PyTorch code."""

import importlib
import pathlib
import pickle
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_fasterseg.files import PathLike


def read_released_weights(path: PathLike) -> dict[str, np.ndarray]:
    """Reads arrays by state-dict name from a `.npz` file or a PyTorch checkpoint.

    A `.npz` file stores arrays as `<name>` or as `w/<name>`. `q/<name>` are integers with the scale
    `s/<name>`. If such prefixes occur, other entries are ignored. Reading never unpickles anything
    that could run code.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file has neither format, or PyTorch is needed but not installed.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"The weight file {path} does not exist.")
    state = _read_npz(path) if path.suffix == ".npz" else _read_checkpoint(path)
    if not state:
        raise ValueError(f"{path} contains no weights; give a state dict of the released code.")
    return state


def _read_npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as arrays in a .npz file: {error}.") from error
    if not any(key.startswith(("w/", "q/")) for key in arrays):
        return arrays
    state = {}
    for key, value in arrays.items():
        kind, _, name = key.partition("/")
        if kind == "w":
            state[name] = value
        elif kind == "q":
            if f"s/{name}" not in arrays:
                raise ValueError(f"{path} has the integers q/{name} without their scale s/{name}.")
            state[name] = value.astype("float32") * arrays[f"s/{name}"]
    return state


def _read_checkpoint(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise ValueError(
            f"Reading {path} needs PyTorch: install it (`pip install torch`), or save the state "
            "dict's arrays under their names with numpy.savez and use that .npz file."
        ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} is not a state dict that PyTorch can read safely: {error}."
        ) from error
    if not isinstance(state, Mapping):
        raise ValueError(f"{path} contains a {type(state).__name__} instead of a state dict.")
    return {name: _array(value) for name, value in state.items()}


def _array(value: Any) -> np.ndarray:
    # The released architectures contain plain numbers as well as tensors.
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
