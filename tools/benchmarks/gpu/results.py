"""Results of one piece: a JSON file that is complete after every measurement."""

import pathlib
from typing import Any

from keras_fasterseg.files import read_json, write_json


class Results:
    """The measurements in a file, by name; a later run adds those that are missing.

    Args:
        path: The JSON file; it is read if it exists.
        machine: Facts about this machine. Every measurement has the index of its machine.
        method: How the piece measures, in words and numbers.
        command: The command line of this run.
    """

    def __init__(
        self,
        path: pathlib.Path,
        machine: dict[str, Any],
        method: dict[str, Any],
        command: str,
    ) -> None:
        self.path = path
        self._value = {"method": method, "machines": [], "measurements": {}}
        if path.is_file():
            self._value = {**self._value, **read_json(path), "method": method}
        machines = self._value["machines"]
        known = [index for index, each in enumerate(machines) if _same(each, machine)]
        if not known:
            machines.append({**machine, "commands": []})
        self._machine = known[0] if known else len(machines) - 1
        commands = machines[self._machine]["commands"]
        if command not in commands:
            commands.append(command)

    @property
    def measurements(self) -> dict[str, dict[str, Any]]:
        return self._value["measurements"]

    def missing(self, names: list[str]) -> list[str]:
        """Returns those of `names` without a measurement."""
        return [name for name in names if name not in self.measurements]

    def forget_errors(self) -> None:
        """Makes measurements that failed count as missing."""
        done = {name: each for name, each in self.measurements.items() if "error" not in each}
        self._value["measurements"] = done

    def spend(self, name: str, seconds: float) -> float:
        """Adds to the time that unfinished runs of a measurement took, and returns all of it."""
        spent = self._value.setdefault("seconds_spent", {})
        spent[name] = spent.get(name, 0.0) + seconds
        write_json(self.path, self._value)
        return spent[name]

    def add(self, name: str, measurement: dict[str, Any]) -> None:
        """Adds a measurement, or its `error`, and writes the file."""
        self.measurements[name] = {**measurement, "machine": self._machine}
        write_json(self.path, self._value)


def _same(known: dict[str, Any], machine: dict[str, Any]) -> bool:
    return all(known.get(name) == machine.get(name) for name in ("card", "cpu", "versions"))
