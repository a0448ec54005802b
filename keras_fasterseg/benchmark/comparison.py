"""Comparison of two measurement files, if they are comparable."""

import collections
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from keras_fasterseg.benchmark.environment import device_kind
from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.files import PathLike, read_json
from keras_fasterseg.wording import text_table

_FIELDS = (
    *("times", "fps", "input_size", "batch_size", "runner", "environment", "scope"),
    "harness_version",
)
# Peaks of an undisturbed machine differ by a smaller factor between runs.
_LIKE_PEAKS = 1.1

Measurement = Mapping[str, Any]


def _threads(row: Measurement) -> Any:
    # Host threads matter little to a network on a GPU.
    return row["runner"].get("threads") if _device(row) == "CPU" else None


def _device(row: Measurement) -> str:
    return device_kind(row["runner"].get("device"))


# Properties that must be equal, by readable name; the input size is compared separately.
_ALIKE: Mapping[str, Callable[[Measurement], Any]] = {
    "harness version": lambda row: row["harness_version"],
    "scope": lambda row: row["scope"],
    "batch size": lambda row: row["batch_size"],
    "device": _device,
    "processor": lambda row: row["environment"].get("cpu"),
    "GPU": lambda row: row["environment"].get("gpus") if _device(row) == "GPU" else None,
    "number of cores": lambda row: row["environment"].get("available_cores"),
    "CPU quota": lambda row: row["environment"].get("cpu_quota"),
    # After cores and quota, which determine the default number of threads.
    "number of threads": _threads,
    "power of the host": lambda row: row["environment"].get("power"),
    "image": lambda row: row.get("settings", {}).get("image"),
    "pause between calls": lambda row: row.get("settings", {}).get("pause_ms"),
    "settling before calls": lambda row: row.get("settings", {}).get("settle_ms"),
}
# Properties that may differ, because they are the subject of a comparison.
_COMPARED: Mapping[str, Callable[[Measurement], Any]] = {
    "artefact": lambda row: row.get("artefact"),
    "runtime": lambda row: row["runner"].get("runtime"),
    "version": lambda row: row["runner"].get("version"),
    "precision": lambda row: row["runner"].get("precision"),
}


@dataclasses.dataclass(frozen=True)
class ComparedRow:
    """Measurements of one size and runtime in two files.

    Attributes:
        first: The measurement in the first file.
        second: The measurement in the second file.
    """

    first: Measurement
    second: Measurement

    @property
    def speedup(self) -> float:
        """Frame rate of the second divided by that of the first, at the medians."""
        return self.second["fps"] / self.first["fps"]

    @property
    def differences(self) -> list[str]:
        """Sentence parts about permitted differences."""
        return [
            f"{name} {read(self.first)} and {read(self.second)}"
            for name, read in _COMPARED.items()
            if read(self.first) != read(self.second)
        ]

    @property
    def warning(self) -> str | None:
        """A sentence if the machine itself was not equally fast both times; otherwise `None`."""
        first, second = (row.get("peak_macs_per_second") for row in (self.first, self.second))
        if first is None or second is None:
            return None
        if max(first, second) <= _LIKE_PEAKS * min(first, second):
            return None
        return (
            f"Large matrix products reached {first / 1e9:.1f} and {second / 1e9:.1f} G "
            "multiply-accumulates per second: the machine itself was not equally fast."
        )


def compare_files(first: PathLike, second: PathLike) -> list[ComparedRow]:
    """Returns the matching rows of two measurement files.

    Rows match if they are the only ones of their size in both files. Otherwise they match if they
    have the same size, runtime and artefact. Failing that, they match if they have the same size
    and a runtime that occurs only once for that size in each file.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file contains no measurements, no size occurs in both files, no rows match, or
            matching rows were measured differently. The message names the property and both values.
    """
    rows = _pairs(read_measurements(first), read_measurements(second), f"{first} and {second}")
    for row in rows:
        for name, read in _ALIKE.items():
            values = read(row.first), read(row.second)
            if values[0] != values[1]:
                raise ValueError(
                    f"{first} and {second} cannot be compared: the {name} is {values[0]!r} in the "
                    f"first and {values[1]!r} in the second; measure both the same way."
                )
    return rows


def read_measurements(path: PathLike) -> list[Measurement]:
    """Reads the measurements in a file written by `tools.benchmark` or a run.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file contains something else.
    """
    value = read_json(path)
    rows: Any = value.get("results", value) if isinstance(value, dict) else None
    if isinstance(rows, dict):
        rows = [rows] if "times" in rows else list(rows.values())
    if not isinstance(rows, list) or not rows or not all(map(_is_measurement, rows)):
        raise ValueError(
            f"{path} contains no measurements; give a file written by `python -m tools.benchmark "
            "--output`."
        )
    return rows


def comparison_text(rows: list[ComparedRow]) -> str:
    """Formats the rows as a table, followed by the differences between the two files."""
    headers = ("runtime", "size", "A p50 ms", "B p50 ms", "A FPS", "B FPS", "B / A")
    cells = [
        [
            _runtime(row),
            "x".join(map(str, row.first["input_size"])),
            f"{row.first['times']['p50_ms']:.3f}",
            f"{row.second['times']['p50_ms']:.3f}",
            fps_text(row.first["fps"]),
            fps_text(row.second["fps"]),
            f"{row.speedup:.3f}",
        ]
        for row in rows
    ]
    differences = dict.fromkeys(difference for row in rows for difference in row.differences)
    warnings = dict.fromkeys(row.warning for row in rows if row.warning)
    notes = [f"Permitted difference: {difference}." for difference in differences]
    return "\n".join(
        [
            text_table(headers, cells),
            "B / A: speed of B relative to A, from the medians of separate measurements. It has no "
            "interval; use --side_by_side for one.",
            *notes,
            *warnings,
        ]
    )


def _pairs(first: list[Measurement], second: list[Measurement], files: str) -> list[ComparedRow]:
    sizes = [sorted({tuple(row["input_size"]) for row in rows}) for rows in (first, second)]
    common = [size for size in sizes[0] if size in sizes[1]]
    if not common:
        shown = [", ".join("x".join(map(str, size)) for size in each) for each in sizes]
        raise ValueError(
            f"{files} cannot be compared: the input size is {shown[0]} in the first and "
            f"{shown[1]} in the second; measure both the same way."
        )
    pairs = []
    for size in common:
        here = [row for row in first if tuple(row["input_size"]) == size]
        there = [row for row in second if tuple(row["input_size"]) == size]
        if len(here) == len(there) == 1:
            pairs.append(ComparedRow(here[0], there[0]))
            continue
        for key in (_network_and_runtime, _runtime_alone):
            found = _unique_pairs(here, there, key)
            if found:
                pairs += found
                break
    if not pairs:
        raise ValueError(
            f"{files} cannot be compared: no rows of the same size match, either by artefact and "
            "runtime or by a runtime that occurs only once in each file."
        )
    return pairs


def _unique_pairs(
    here: list[Measurement], there: list[Measurement], key: Callable[[Measurement], Any]
) -> list[ComparedRow]:
    """Pairs the rows with the same `key`, if it is unique in both lists."""
    counts = [collections.Counter(map(key, rows)) for rows in (here, there)]
    by_key = {key(row): row for row in there}
    return [
        ComparedRow(row, by_key[key(row)])
        for row in here
        if all(count[key(row)] == 1 for count in counts)
    ]


def _network_and_runtime(row: Measurement) -> tuple[Any, Any]:
    return row.get("artefact"), row["runner"].get("runtime")


def _runtime_alone(row: Measurement) -> Any:
    return row["runner"].get("runtime")


def _is_measurement(row: Any) -> bool:
    if not isinstance(row, dict) or not all(field in row for field in _FIELDS):
        return False
    times, size = row["times"], row["input_size"]
    return (
        all(isinstance(row[name], dict) for name in ("times", "runner", "environment"))
        and isinstance(size, list)
        and len(size) == 2
        and all(isinstance(side, int) for side in size)
        and all(_is_positive(number) for number in (row["fps"], times.get("p50_ms")))
    )


def _is_positive(number: Any) -> bool:
    return isinstance(number, int | float) and math.isfinite(number) and number > 0


def _runtime(row: ComparedRow) -> str:
    names = dict.fromkeys(str(each["runner"].get("runtime")) for each in (row.first, row.second))
    return " and ".join(names)
