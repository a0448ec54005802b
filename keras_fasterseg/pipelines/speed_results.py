"""Job: what was measured of latencies, as Markdown."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import tabulate

from keras_fasterseg.benchmark.comparison import Measurement, read_measurements
from keras_fasterseg.benchmark.environment import device_kind
from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.files import PathLike, read_json
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.run.names import LATENCY_TABLE, VERIFICATION

BENCHMARK_HEADERS = (
    *("network", "size", "runtime", "p50 ms", "p90 ms", "FPS", "times as fast [95 %]"),
    *("GMAC/s", "% of peak", "peak MiB"),
)


def benchmark_markdown(path: PathLike) -> str:
    """The rows of a file of `tools.benchmark`, and what exactly was measured.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is none of that tool's.
    """
    rows = read_measurements(path)
    try:
        return _side_by_side(rows)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path} has not the form of measurements of this version ({error}); measure again."
        ) from error


def _side_by_side(rows: Sequence[Measurement]) -> str:
    title, names = _names([*dict.fromkeys(map(_artefact, rows))])
    parts = [
        f"### {title}",
        _table([[names[_artefact(row)], *_benchmark_row(row)] for row in rows], BENCHMARK_HEADERS),
        f"Timed: {_alike(rows, lambda row: row['scope_description'])}; batch "
        f"{_alike(rows, lambda row: row['batch_size'])}, "
        f"{_alike(rows, lambda row: row['runner']['precision'])}, on {_alike(rows, _device)}; "
        f"{'those of one size in turns, ' if rows[0]['settings'].get('in_turns_with') else ''}"
        f"{min(row['times']['repetitions'] for row in rows)} calls each or more; harness version "
        f"{_alike(rows, lambda row: row['harness_version'])}. "
        f"{_alike(rows, _version, ', ')}.",
    ]
    peaks = {
        "x".join(map(str, row["input_size"])): row["peak_macs_per_second"]
        for row in rows
        if row.get("peak_macs_per_second")
    }
    if peaks:
        listed = ", ".join(f"{peak / 1e9:.0f} GMAC/s at {size}" for size, peak in peaks.items())
        parts.append(
            f"The peak: {listed}, the best of large float32 matrix products in the same process."
        )
    command = _alike(rows, lambda row: row.get("command") or "")
    if command:
        parts.append(f"Command: `{command}`")
    return "\n\n".join(parts)


def verification_markdown(workdirs: Sequence[PathLike]) -> str:
    """How well the latency tables of `workdirs` predict networks, one row each.

    Raises:
        FileNotFoundError: A workdir has no verified table.
        ValueError: A file is not whole.
    """
    rows = []
    for workdir in workdirs:
        folder = pathlib.Path(workdir) / "latency"
        table, verification = (
            LatencyTable.load(folder / LATENCY_TABLE),
            read_json(folder / VERIFICATION),
        )
        stage = read_json(folder / "stage.json")
        fingerprint = table.metadata.fingerprint
        shared = [
            f"{fingerprint.runtime} {fingerprint.runtime_version}",
            "{}x{}".format(*table.metadata.input_size),
            str(len(table)),
            f"{stage['minutes']:.1f}",
            str(fingerprint.harness_version),
        ]
        for name in ("sum", "calibrated"):
            if name in verification:
                rows.append([*shared, name, *_agreement(verification[name])])
                shared = [""] * len(shared)
    headers = ["runtime", "size", "rows", "minutes", "harness", "prediction", "networks"]
    headers += ["Spearman", "median error", "worst error"]
    return "\n\n".join(
        [
            "### Predicted and measured latencies of random networks",
            _table(rows, headers),
            "Minutes: of the table and its calibration, which was fitted to other networks. "
            "Harness: its version; numbers of one version compare. "
            "Measured: uint8 images to class ids, all networks in turns.",
        ]
    )


def _alike(rows: Sequence[Measurement], read: Callable[[Measurement], Any], joint=" or ") -> str:
    """What `read` finds in the rows; all of it where they differ."""
    return joint.join(dict.fromkeys(str(read(row)) for row in rows))


def _device(row: Measurement) -> str:
    runner, environment = row["runner"], row["environment"]
    if device_kind(runner["device"]) != "CPU":
        return str(runner["device"])
    return f"{runner['threads']} threads of {environment['cpu']}"


def _version(row: Measurement) -> str:
    return f"{row['runner']['runtime']} ({row['runner']['version']})"


def _names(artefacts: Sequence[str]) -> tuple[str, dict[str, str]]:
    """A title, and what to call each artefact below it: the folder that all lie in is said once."""
    if len(artefacts) == 1:
        return f"Runtimes side by side: {artefacts[0]}", {artefacts[0]: artefacts[0]}
    paths = [pathlib.PurePath(artefact) for artefact in artefacts]
    folder = next(
        (
            parent
            for parent in paths[0].parents
            if parent.parts and all(parent in path.parents for path in paths)
        ),
        None,
    )
    if folder is None:
        return "Networks side by side", dict(zip(artefacts, artefacts, strict=True))
    names = [str(path.relative_to(folder)) for path in paths]
    return f"Networks side by side: {folder}", dict(zip(artefacts, names, strict=True))


def _benchmark_row(row: dict[str, Any]) -> list[str]:
    low_high = row.get("speedup_interval")
    speedup = "" if row.get("speedup") is None else f"{row['speedup']:.2f}"
    if low_high:
        speedup += f" [{low_high[0]:.2f}, {low_high[1]:.2f}]"
    return [
        "{}x{}".format(*row["input_size"]),
        row["runner"]["runtime"],
        f"{row['times']['p50_ms']:.1f}",
        f"{row['times']['p90_ms']:.1f}",
        fps_text(row["fps"]),
        speedup,
        _number(row.get("macs_per_second"), 1e-9, 1),
        _number(row.get("share_of_peak"), 100, 0),
        _number(row.get("memory_peak_mib"), 1, 0),
    ]


def _artefact(row: dict[str, Any]) -> str:
    return str(row.get("artefact") or row["runner"].get("genotype") or "")


def _agreement(value: dict[str, Any]) -> list[str]:
    return [
        str(value["networks"]),
        f"{value['spearman']:.3f}",
        f"{100 * value['median_relative_error']:.1f} %",
        f"{100 * value['worst_relative_error']:.1f} %",
    ]


def _number(value: float | None, factor: float, digits: int) -> str:
    return "" if value is None else f"{factor * value:.{digits}f}"


def _table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    return tabulate.tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True)
