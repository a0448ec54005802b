"""Two files of measurements beside each other, if they may be compared at all."""

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
# Peaks of one undisturbed machine differ by less from run to run.
_LIKE_PEAKS = 1.1

Measurement = Mapping[str, Any]


def _threads(row: Measurement) -> Any:
    # Those of the host matter little to a network on a GPU.
    return row["runner"].get("threads") if _device(row) == "CPU" else None


def _device(row: Measurement) -> str:
    return device_kind(row["runner"].get("device"))


# What must be alike, by what a reader calls it, the input size apart.
_ALIKE: Mapping[str, Callable[[Measurement], Any]] = {
    "harness version": lambda row: row["harness_version"],
    "scope": lambda row: row["scope"],
    "batch size": lambda row: row["batch_size"],
    "device": _device,
    "processor": lambda row: row["environment"].get("cpu"),
    "GPU": lambda row: row["environment"].get("gpus") if _device(row) == "GPU" else None,
    "number of cores": lambda row: row["environment"].get("available_cores"),
    "CPU quota": lambda row: row["environment"].get("cpu_quota"),
    # After what it follows from where nobody chooses it.
    "number of threads": _threads,
    "power of the host": lambda row: row["environment"].get("power"),
    "image": lambda row: row.get("settings", {}).get("image"),
    "pause between calls": lambda row: row.get("settings", {}).get("pause_ms"),
    "settling before calls": lambda row: row.get("settings", {}).get("settle_ms"),
}
# What may differ since it is what one compares.
_COMPARED: Mapping[str, Callable[[Measurement], Any]] = {
    "artefact": lambda row: row.get("artefact"),
    "runtime": lambda row: row["runner"].get("runtime"),
    "version": lambda row: row["runner"].get("version"),
    "precision": lambda row: row["runner"].get("precision"),
}


@dataclasses.dataclass(frozen=True)
class ComparedRow:
    """One size and runtime in two files.

    Attributes:
        first: The measurement in the first file.
        second: The one in the second.
    """

    first: Measurement
    second: Measurement

    @property
    def speedup(self) -> float:
        """How many times as fast the second is, by the medians."""
        return self.second["fps"] / self.first["fps"]

    @property
    def differences(self) -> list[str]:
        """What differs and may, in words."""
        return [
            f"{name} {read(self.first)} and {read(self.second)}"
            for name, read in _COMPARED.items()
            if read(self.first) != read(self.second)
        ]

    @property
    def warning(self) -> str | None:
        """A sentence if the machine was not equally fast both times."""
        first, second = (row.get("peak_macs_per_second") for row in (self.first, self.second))
        if first is None or second is None:
            return None
        if max(first, second) <= _LIKE_PEAKS * min(first, second):
            return None
        return (
            f"Large matrix products reached {first / 1e9:.1f} and {second / 1e9:.1f} G "
            "multiply-accumulates a second: the machine itself was not equally fast."
        )


def compare_files(first: PathLike, second: PathLike) -> list[ComparedRow]:
    """The rows that two files of measurements have in common.

    Rows belong together that have one size, one runtime and one artefact; or one size and a
    runtime that no other row of that size has in either file; or that are the only ones of their
    size in both files.

    Raises:
        FileNotFoundError: One is not there.
        ValueError: One holds no measurements, they have no size in common, or rows that belong
            together were not measured alike; the message names the field and both values.
    """
    rows = _pairs(read_measurements(first), read_measurements(second), f"{first} and {second}")
    for row in rows:
        for name, read in _ALIKE.items():
            values = read(row.first), read(row.second)
            if values[0] != values[1]:
                raise ValueError(
                    f"{first} and {second} cannot be compared: the {name} is {values[0]!r} in the "
                    f"first and {values[1]!r} in the second; measure both alike."
                )
    return rows


def read_measurements(path: PathLike) -> list[Measurement]:
    """The measurements in a file that `tools.benchmark` or a run has written.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds something else.
    """
    value = read_json(path)
    rows: Any = value.get("results", value) if isinstance(value, dict) else None
    if isinstance(rows, dict):
        rows = [rows] if "times" in rows else list(rows.values())
    if not isinstance(rows, list) or not rows or not all(map(_is_measurement, rows)):
        raise ValueError(
            f"{path} holds no measurements; give a file that `python -m tools.benchmark --output` "
            "has written."
        )
    return rows


def comparison_text(rows: list[ComparedRow]) -> str:
    """The rows as a table, and what differs between the two files."""
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
    notes = [f"Differs, as it may: {difference}." for difference in differences]
    return "\n".join(
        [
            text_table(headers, cells),
            "B / A: how many times as fast B is, by the medians of two runs; it has no interval, "
            "--side_by_side has.",
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
            f"{shown[1]} in the second; measure both alike."
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
            f"{files} cannot be compared: no row of the one has the artefact and runtime, or a "
            "runtime that is there once, of a row of the other."
        )
    return pairs


def _unique_pairs(
    here: list[Measurement], there: list[Measurement], key: Callable[[Measurement], Any]
) -> list[ComparedRow]:
    """The rows whose `key` is the same, and no other's in either list."""
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
