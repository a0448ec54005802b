"""The folder of a run, with records of its finished stages and their settings."""

import contextlib
import dataclasses
import math
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from absl import logging

from keras_fasterseg import workers
from keras_fasterseg.files import PathLike, read_json, remove_partial, write_json
from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.run.inputs import Input, InputFiles
from keras_fasterseg.run.names import RECORD
from keras_fasterseg.run.run_lock import RunLock
from keras_fasterseg.setting import is_recorded

_GROUPS_WITHOUT_PREFIX = ("data", "supernet", "latency", "video")


class Workdir:
    """A run's folder, with one subfolder per stage.

    Args:
        path: The folder. It is created at the first write, so that a failed command leaves no
            empty folder behind.

    Attributes:
        listeners: Functions called at the end of a stage with its name and duration in seconds.
            The duration includes stopped calls; for a prolonged stage, only the last call counts.

    Raises:
        OSError: The folder cannot be created or written.
    """

    def __init__(self, path: PathLike):
        self.path = pathlib.Path(path)
        _check_writable(self.path)
        self._lock = RunLock(self.path)
        self.input_files = InputFiles(self.path / "inputs")
        self.listeners: list[Callable[[str, float], None]] = []

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Context in which no other process can run a stage here.

        Raises:
            OSError: Another process is running one, or the folder cannot be created.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"The workdir {self.path} cannot be created: {error}.") from error
        with self._lock.held():
            yield

    def stage(
        self,
        name: str,
        settings: Mapping[str, Any],
        run: Callable[[pathlib.Path], Any],
        partial: str | None = None,
        inputs: Mapping[str, Input | None] | None = None,
        keep_checkpoint: bool = False,
        prolong: bool = False,
    ) -> pathlib.Path:
        """Runs a stage unless it is finished, and returns its folder.

        Of several workers, only the chief decides and writes here; the others run when it does.

        A stage records its settings when it starts, and again at its end, with the minutes it
        took. A finished stage is not run again. A stopped stage is run again and resumes from its
        checkpoints, if any; they are removed at the end. Which settings are recorded:
        `is_recorded`.

        Args:
            name: Name of the stage and its folder.
            settings: All settings that its result depends on.
            run: Does the work, in the folder passed to it.
            partial: Name of a file that the stage resumes from after a stop, as from checkpoints.
            inputs: Inputs of the stage, by a readable name. `None` for an input that no longer
                exists, which does not invalidate a finished stage.
            keep_checkpoint: Whether to keep the newest checkpoint of the finished stage.
            prolong: Whether a finished stage resumes from its kept checkpoint. The caller must
                have compared the settings.

        Raises:
            ValueError: The stage is finished or resumable, but with other settings or inputs.
            OSError: Another process is working in the folder.
        """
        folder = self.path / name
        if not workers.is_chief():
            if workers.chief_decides():
                run(folder)
                workers.chief_decides()
            return folder
        record = folder / RECORD
        settings = plain(settings)
        checkpoints = Checkpoints(folder)
        finished = self.recorded(name)
        left = folder / partial if partial is not None and (folder / partial).is_file() else None
        begun = checkpoints.exist() or left is not None
        if record.exists() and (finished is not None or begun):
            before = _read_record(record)
            if not prolong:
                _check_unchanged(folder, before, settings)
            self._check_inputs(folder, before, inputs or {})
        if finished is not None and not prolong:
            logging.info("Stage %s is already finished: %s", name, folder)
            workers.chief_decides(False)
            return folder
        with self.locked():
            folder.mkdir(parents=True, exist_ok=True)
            remove_partial(folder)
            earlier = checkpoints.minutes() if left is None else _minutes_until(left, record)
            facts = {"settings": settings, "inputs": _recorded_inputs(inputs or {})}
            begin = {**facts, "minutes": None, "begun": time.time(), "earlier_minutes": earlier}
            write_json(record, begin)
            logging.info("=== %s ===", name)
            workers.chief_decides(True)
            start = time.monotonic()
            run(folder)
            seconds = time.monotonic() - start
            write_json(record, {**facts, "minutes": earlier + seconds / 60})
            checkpoints.remove(keep_newest=keep_checkpoint)
            workers.chief_decides(True)
        for listener in self.listeners:
            listener(name, seconds if prolong else 60 * earlier + seconds)
        return folder

    def readers(self, content: Input) -> list[pathlib.Path]:
        """Returns the folders of the finished stages that have read `content`."""
        records = {path.parent: _read_record(path) for path in self.path.glob(f"*/{RECORD}")}
        return sorted(
            folder
            for folder, record in records.items()
            if record["minutes"] is not None
            and content.sha256 in [each["sha256"] for each in record.get("inputs", {}).values()]
        )

    def recorded(self, name: str) -> dict[str, Any] | None:
        """Returns the recorded settings of stage `name`; `None` if it is not finished."""
        path = self.path / name / RECORD
        record = _read_record(path) if path.exists() else {}
        return record["settings"] if record.get("minutes") is not None else None

    def _check_inputs(
        self, folder: pathlib.Path, record: dict[str, Any], inputs: Mapping[str, Input | None]
    ) -> None:
        before = record.get("inputs")
        if before is None:
            logging.warning(
                "%s was written by an earlier version, which recorded no digests: changes of its "
                "input data and files cannot be detected.",
                folder,
            )
            return
        changed = [
            self.input_files.changes(name, before.get(name, {}), inputs.get(name))
            for name, now in {**dict.fromkeys(before), **inputs}.items()
            if name not in inputs
            or name not in before
            or (now is not None and before[name]["sha256"] != now.sha256)
        ]
        if changed:
            raise ValueError(
                f"{folder} {_state(record)} with other inputs: {'; '.join(changed)}. Restore the "
                "former inputs, choose another workdir, or delete that folder and the folders of "
                "later stages to run them again."
            )

    def minutes(self, name: str) -> float:
        """Returns the minutes that the finished stage `name` took, including stopped calls.

        A stopped call counts up to its last checkpoint or the last write of its partial file.

        Raises:
            FileNotFoundError: The stage is not finished.
        """
        if self.recorded(name) is None:
            raise FileNotFoundError(f"The stage {self.path / name} is not finished.")
        return _read_record(self.path / name / RECORD)["minutes"]


def _read_record(path: pathlib.Path) -> dict[str, Any]:
    record = read_json(path)
    fine = isinstance(record, dict) and isinstance(record.get("settings"), dict)
    if not fine or not isinstance(record.get("minutes"), int | float | None):
        raise ValueError(
            f"{path} is not a valid record of a stage; restore it, or delete its folder and run "
            "the stage again."
        )
    return record


def _check_writable(path: pathlib.Path) -> None:
    nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise OSError(f"The workdir {path} cannot be created: {nearest} is a file.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OSError(
            f"The workdir {path} is not writable; choose another folder or change its permissions."
        )


def _minutes_until(partial: pathlib.Path, record: pathlib.Path) -> float:
    """Returns the minutes of stopped calls, up to the last write of `partial`."""
    earlier = read_json(record) if record.exists() else {}
    last = partial.stat().st_mtime - earlier.get("begun", math.inf)
    return earlier.get("earlier_minutes", 0.0) + max(0.0, last) / 60


def plain(value: Any) -> Any:
    """Converts `value` to JSON values: dataclasses to objects, tuples to lists, paths to strings.

    Fields that change no result are omitted. So are paths of inputs, of which only the content
    counts, and fields newer than existing runs that have their defaults.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {
            field.name: item
            for field in dataclasses.fields(value)
            if is_recorded(field, item := getattr(value, field.name))
        }
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, pathlib.PurePath) else value


def _check_unchanged(folder: pathlib.Path, record: dict[str, Any], settings: Any) -> None:
    before = record["settings"]
    if "inputs" not in record:
        # Written by an earlier version, which recorded paths and had fewer settings.
        before, settings = _shared(before, settings), _shared(settings, before)
    changed = _differences(before, settings)
    if changed:
        raise ValueError(
            f"{folder} {_state(record)} with other settings ({'; '.join(changed)}); "
            "use the same settings, choose another workdir, or delete that folder."
        )


def _state(record: dict[str, Any]) -> str:
    return "was started" if record["minutes"] is None else "was finished"


def _recorded_inputs(inputs: Mapping[str, Input | None]) -> dict[str, dict[str, Any]]:
    """Returns the inputs for the record; `InputFiles` stores the list of their files."""
    return {
        name: {"path": each.path, "sha256": each.sha256, "files": len(each.files)}
        for name, each in inputs.items()
        if each is not None
    }


def _shared(value: Any, other: Any) -> Any:
    """Returns `value` without the keys missing from `other`, at every depth."""
    if not (isinstance(value, dict) and isinstance(other, dict)):
        return value
    return {key: _shared(value[key], other[key]) for key in value if key in other}


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
    return [] if before == now else [f"{_flag(name)} was {before!r}, is {now!r}"]


def _flag(name: str) -> str:
    """Returns the tools' flag for a setting such as `pretrain.epochs`; keeps other names."""
    group, _, field = name.partition(".")
    if not field:
        return "--seed" if group == "seed" else group
    if group == "data_set":
        return f"{field} of the data set"
    return f"--{field}" if group in _GROUPS_WITHOUT_PREFIX else f"--{group}_{field}"
