"""Reader of files with weights of the released PyTorch code."""

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
    """Arrays by their state-dict name, of a `.npz` file or of a checkpoint that PyTorch saved.

    A `.npz` file holds them by that name, or by `w/<name>`, where `q/<name>` are integers that
    `s/<name>` scales; what else such a file holds is left out. Nothing is unpickled that could run
    code.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read as either, or PyTorch is needed and not installed.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of weights {path}.")
    state = _read_npz(path) if path.suffix == ".npz" else _read_checkpoint(path)
    if not state:
        raise ValueError(f"{path} holds no weights; is it a state dict of the released code?")
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
                raise ValueError(f"{path} has the integers q/{name}, but not their scale s/{name}.")
            state[name] = value.astype("float32") * arrays[f"s/{name}"]
    return state


def _read_checkpoint(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise ValueError(
            f"PyTorch is needed to read {path}: install it (`pip install torch`), or save the "
            "state dict's arrays under their names with numpy.savez and give that .npz file."
        ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is no state dict that PyTorch reads safely: {error}.") from error
    if not isinstance(state, Mapping):
        raise ValueError(f"{path} holds a {type(state).__name__}, not a state dict.")
    return {name: _array(value) for name, value in state.items()}


def _array(value: Any) -> np.ndarray:
    # The released architectures hold plain numbers beside their tensors.
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
