"""The folder of a run: which stages are finished, and with which settings."""

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from absl import logging

from keras_fasterseg.files import PathLike, read_json, write_json

_RECORD = "stage.json"


class Workdir:
    """A run's folder, one subfolder a stage.

    Args:
        path: The folder; made if it is missing.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: PathLike):
        self.path = pathlib.Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"The workdir {self.path} cannot be made: {error}.") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise OSError(
                f"The workdir {self.path} cannot be written to; choose another folder or "
                "change its rights."
            )

    def stage(
        self, name: str, settings: Mapping[str, Any], run: Callable[[pathlib.Path], None]
    ) -> pathlib.Path:
        """Runs a stage unless it is finished, and returns its folder.

        A finished stage leaves a record of its settings, written last; it is not run again. A stage
        that was stopped starts anew.

        Args:
            name: Name of the stage and its folder.
            settings: Everything that its result depends on.
            run: Does the work in the folder that it is given.

        Raises:
            ValueError: The stage is finished, but with other settings.
        """
        folder = self.path / name
        record = folder / _RECORD
        settings = plain(settings)
        finished = self.recorded(name)
        if finished is not None:
            changed = _differences(finished, settings)
            if changed:
                raise ValueError(
                    f"{folder} was finished with other settings ({'; '.join(changed)}); "
                    "give the same ones, another workdir, or delete that folder."
                )
            logging.info("%s is finished already: %s", name, folder)
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        logging.info("=== %s ===", name)
        start = time.monotonic()
        run(folder)
        write_json(record, {"settings": settings, "minutes": (time.monotonic() - start) / 60})
        return folder

    def recorded(self, name: str) -> dict[str, Any] | None:
        """The settings that stage `name` was finished with; `None` if it is not finished."""
        record = self.path / name / _RECORD
        return read_json(record)["settings"] if record.exists() else None

    def minutes(self, name: str) -> float:
        """How long the finished stage `name` took, in whichever call it ran.

        Raises:
            FileNotFoundError: The stage is not finished.
        """
        return read_json(self.path / name / _RECORD)["minutes"]


def plain(value: Any) -> Any:
    """`value` as JSON holds it: dataclasses as objects, tuples and paths as lists and strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, pathlib.PurePath) else value


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(key for key in now if key not in before)]
        return [
            difference
            for key in keys
            for difference in _differences(
                before.get(key), now.get(key), f"{name}.{key}" if name else key
            )
        ]
    return [] if before == now else [f"{name} was {before!r}, is {now!r}"]
