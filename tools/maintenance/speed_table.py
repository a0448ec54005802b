"""Tables of measured and predicted latencies."""

import pathlib
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from keras_fasterseg.benchmark.comparison import Measurement, read_measurements
from keras_fasterseg.benchmark.environment import device_kind
from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.files import PathLike, read_json
from keras_fasterseg.latency.interpolation import interpolation_errors
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.registry import space_class
from tools.maintenance.markdown import number, table

BENCHMARK_HEADERS = (
    *("network", "size", "runtime", "p50 ms", "p90 ms", "FPS", "times as fast [95 %]"),
    *("GMAC/s", "% of peak", "peak MiB"),
)


def benchmark_markdown(path: PathLike) -> str:
    """The rows of a result file of `tools.benchmark`, with the method of measurement.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a result of `tools.benchmark`.
        KeyError, TypeError: A measurement has an unexpected structure.
    """
    rows = read_measurements(path)
    in_turns = rows[0]["settings"].get("in_turns_with")
    alternately = "rows of one size timed alternately, " if in_turns else ""
    title, names = _names([*dict.fromkeys(map(_artefact, rows))])
    parts = [
        f"### {title}",
        table([[names[_artefact(row)], *_benchmark_row(row)] for row in rows], BENCHMARK_HEADERS),
        f"Timed: {_alike(rows, lambda row: row['scope_description'])}; batch "
        f"{_alike(rows, lambda row: row['batch_size'])}, "
        f"{_alike(rows, lambda row: row['runner']['precision'])}, on {_alike(rows, _device)}; "
        f"{alternately}"
        f"{min(row['times']['repetitions'] for row in rows)} or more calls each; harness version "
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
            f"Peak: {listed}, the fastest large float32 matrix product in the same process."
        )
    command = _alike(rows, lambda row: row.get("command") or "")
    if command:
        parts.append(f"Command: `{command}`")
    return "\n\n".join(parts)


def verification_markdown(workdirs: Sequence[PathLike]) -> str:
    """Accuracy of the latency tables of `workdirs`, one row per table and kind of prediction.

    Raises:
        FileNotFoundError: A workdir has no verified table.
        ValueError: A file is incomplete, or the search space of a table is unknown.
    """
    rows = []
    for workdir in workdirs:
        folder = pathlib.Path(workdir) / "latency"
        latencies = LatencyTable.load(folder / "latency_table.json")
        verification = read_json(folder / "verification.json")
        fingerprint = latencies.metadata.fingerprint
        shared = [
            f"{fingerprint.runtime} {fingerprint.runtime_version}",
            "{}x{}".format(*latencies.metadata.input_size),
            str(len(latencies)),
            f"{read_json(folder / 'stage.json')['minutes']:.1f}",
            str(fingerprint.harness_version),
        ]
        for name in ("sum", "calibrated"):
            if name in verification:
                rows.append([*shared, name, *_agreement(verification[name])])
                shared = [""] * len(shared)
        # Registers the operations of the table.
        space_class(latencies.metadata.space)
        if errors := list(interpolation_errors(latencies).values()):
            shares = [f"{100 * value:.1f} %" for value in (statistics.median(errors), max(errors))]
            rows.append([*shared, "interpolated rows", f"{len(errors)} operations", "", *shares])
    headers = ["runtime", "size", "rows", "minutes", "harness", "prediction", "networks"]
    headers += ["Spearman", "median error", "worst error"]
    return "\n\n".join(
        [
            "### Predicted and measured latencies of random networks",
            table(rows, headers),
            "Minutes: time for the table and its calibration, which was fitted to other networks. "
            "Harness: version of the timing procedure; compare numbers of one version only. "
            "Measured: from uint8 images to class ids, all networks timed alternately.",
        ]
    )


def _alike(rows: Sequence[Measurement], read: Callable[[Measurement], Any], joint=" or ") -> str:
    """The value that `read` returns for all rows, or the distinct values joined."""
    return joint.join(dict.fromkeys(str(read(row)) for row in rows))


def _device(row: Measurement) -> str:
    runner, environment = row["runner"], row["environment"]
    if device_kind(runner["device"]) != "CPU":
        return str(runner["device"])
    return f"{runner['threads']} threads of {environment['cpu']}"


def _version(row: Measurement) -> str:
    return f"{row['runner']['runtime']} ({row['runner']['version']})"


def _names(artefacts: Sequence[str]) -> tuple[str, dict[str, str]]:
    """A title and a name per artefact. A folder shared by all artefacts goes into the title."""
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


def _benchmark_row(row: Measurement) -> list[str | None]:
    speedup = number(row.get("speedup"), ".2f")
    if speedup is not None and row.get("speedup_interval"):
        speedup += " [{:.2f}, {:.2f}]".format(*row["speedup_interval"])
    return [
        "{}x{}".format(*row["input_size"]),
        row["runner"]["runtime"],
        f"{row['times']['p50_ms']:.1f}",
        f"{row['times']['p90_ms']:.1f}",
        fps_text(row["fps"]),
        speedup,
        number(row.get("macs_per_second"), ".1f", 1e-9),
        number(row.get("share_of_peak"), ".0f", 100),
        number(row.get("memory_peak_mib"), ".0f"),
    ]


def _artefact(row: Measurement) -> str:
    return str(row.get("artefact") or row["runner"].get("genotype") or "")


def _agreement(value: dict[str, Any]) -> list[str]:
    return [
        str(value["networks"]),
        f"{value['spearman']:.3f}",
        f"{100 * value['median_relative_error']:.1f} %",
        f"{100 * value['worst_relative_error']:.1f} %",
    ]
