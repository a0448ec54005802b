"""Measurements as a JSON file and as readable text."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from keras_fasterseg.benchmark.harness import HARNESS_VERSION, BenchmarkResult, InterleavedResult
from keras_fasterseg.benchmark.scopes import find_scope
from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.files import PathLike, write_json
from keras_fasterseg.wording import text_table

_HEADERS = (
    *("runtime", "size", "p50 ms", "p90 ms", "p99 ms", "trimmed mean ms", "FPS"),
    *("times as fast [95 %]", "GMAC/s", "% of peak", "peak MiB"),
)


@dataclasses.dataclass(frozen=True)
class BenchmarkReport:
    """Results of runners that took turns, at one or several sizes.

    Attributes:
        tables: Results of one size each.
        command: The command line of the measurement.
    """

    tables: tuple[InterleavedResult, ...]
    command: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns a single measurement itself; several as the list `results`."""
        rows: list[dict[str, Any]] = [
            {
                "name": name,
                **table.results[name].to_json(),
                "speedup": table.speedups[name],
                "speedup_interval": table.to_json()["speedup_intervals"][name],
            }
            for table in self.tables
            for name in table.results
        ]
        if len(rows) == 1:
            return rows[0]
        return {"harness_version": HARNESS_VERSION, "command": self.command, "results": rows}

    def save(self, path: PathLike) -> None:
        """Writes the report to `path` as JSON, atomically."""
        write_json(path, self.to_json())


def report_text(report: BenchmarkReport) -> str:
    """Formats the report: the numbers, then the method and the hardware."""
    results = [result for table in report.tables for result in table.results.values()]
    lines = _single(results[0]) if len(results) == 1 else [_table(report), *_sentences(report)]
    # Results with the same scope, batch and settings share a line.
    lines += dict.fromkeys(_measured(result) for result in results)
    lines += dict.fromkeys(_facts("Runner", result.runner) for result in results)
    proofs = {result.artefact: result.proof for result in results if result.proof is not None}
    lines += [f"{artefact}: {proof}" for artefact, proof in proofs.items()]
    lines += _environment(results[0].environment)
    return "\n".join(lines)


def _table(report: BenchmarkReport) -> str:
    rows = [
        _row(name, result, size) for size in report.tables for name, result in size.results.items()
    ]
    return text_table(_HEADERS, rows)


def _row(name: str, result: BenchmarkResult, table: InterleavedResult) -> list[str]:
    times = result.times
    return [
        name,
        _size(result.input_size),
        f"{times.p50_ms:.3f}",
        f"{times.p90_ms:.3f}",
        f"{times.p99_ms:.3f}",
        f"{times.trimmed_mean_ms:.3f}",
        fps_text(result.fps),
        _speedup(name, table),
        "" if result.macs_per_second is None else f"{result.macs_per_second / 1e9:.1f}",
        "" if result.share_of_peak is None else f"{100 * result.share_of_peak:.1f}",
        "" if result.memory_peak_mib is None else f"{result.memory_peak_mib:.0f}",
    ]


def _sentences(report: BenchmarkReport) -> Iterator[str]:
    """Yields, for two runners, a sentence on the significance of their difference."""
    for table in report.tables:
        names = list(table.results)
        if len(names) != 2:
            continue
        first, second = names
        interval, rounds = table.speedup_intervals[second], table.results[second].times.repetitions
        size = _size(table.results[second].input_size)
        if interval is None:
            verdict = f"{rounds} rounds are too few for an interval"
        elif interval[0] <= 1 <= interval[1]:
            verdict = "the interval contains 1: no difference is shown"
        else:
            verdict = "the interval excludes 1"
        yield (
            f"At {size}, {second} is {_speedup(second, table)} times as fast as {first} (median of "
            f"{rounds} rounds' time ratios): {verdict}."
        )


def _single(result: BenchmarkResult) -> list[str]:
    times = result.times
    lines = [
        f"p50 {times.p50_ms:.3f} ms, p90 {times.p90_ms:.3f} ms, p99 {times.p99_ms:.3f} ms, "
        f"trimmed mean {times.trimmed_mean_ms:.3f} ms",
        f"FPS {fps_text(result.fps)} at the median",
    ]
    if result.macs is not None and result.macs_per_second is not None:
        work = (
            f"{result.macs / 1e9:.3f} G per image, {result.macs_per_second / 1e9:.1f} G per second"
        )
        if result.share_of_peak is not None and result.peak_macs_per_second is not None:
            work += (
                f", {100 * result.share_of_peak:.1f} % of the "
                f"{result.peak_macs_per_second / 1e9:.1f} G that large matrix products reach here"
            )
        lines.append(f"Multiply-accumulates: {work}")
    if result.memory_peak_mib is not None:
        lines.append(
            f"Memory: {result.memory_peak_mib:.0f} MiB peak in a separate process, of which "
            f"{result.memory_before_mib:.0f} MiB before it opened the artefact"
        )
    if result.memory_gpu_mib is not None:
        lines.append(f"GPU memory: {result.memory_gpu_mib:.0f} MiB in that process")
    return lines


def _measured(result: BenchmarkResult) -> str:
    settings = result.settings
    image = settings.get("image")
    turns = (
        f"; runners in turns, with a pause of {settings['pause_ms']:g} ms and "
        f"{settings['settle_ms']:g} ms of untimed calls before each timed one; each round starts "
        "with the next runner"
        if settings.get("in_turns_with")
        else ""
    )
    return (
        f"Measured: {result.scope}, {find_scope(result.scope).description}; batch "
        f"{result.batch_size} of {_size(result.input_size)}; {result.times.repetitions} calls "
        f"after {settings.get('warmup')} untimed ones; images: "
        f"{'random bytes' if image is None else image}{turns}; "
        f"harness version {result.harness_version}"
    )


def _speedup(name: str, table: InterleavedResult) -> str:
    interval = table.speedup_intervals[name]
    text = f"{table.speedups[name]:.3f}"
    return text if interval is None else f"{text} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _facts(title: str, facts: dict[str, object]) -> str:
    return f"{title}: {', '.join(f'{name} {value}' for name, value in facts.items())}"


def _environment(facts: Mapping[str, Any]) -> list[str]:
    """Formats machine and system in one line and packages in another; omits unknown facts."""
    power, load = facts.get("power") or {}, facts.get("load_average")
    cores, logical = facts.get("available_cores"), facts.get("logical_cores")
    quota, memory = facts.get("cpu_quota"), facts.get("memory_bytes")
    busy = [facts.get("other_load"), facts.get("other_load_while_timing")]
    phrases = [
        facts.get("cpu"),
        ", ".join(facts.get("gpus") or []),
        cores and f"{cores} of {logical or 'all'} cores for this process",
        quota and f"a CPU quota of {quota:g}",
        memory and f"{memory / 2**30:.1f} GiB",
        load and f"load average {' '.join(f'{each:.2f}' for each in load)}",
        None not in busy
        and "its cores {:.0%} busy with other programs before, {:.0%} during timing".format(*busy),
        power.get("governor") and f"governor {power['governor']}",
        power.get("on_battery") and "on battery",
        power.get("gpu_limits_watts")
        and f"GPU limits {', '.join(f'{each:.0f} W' for each in power['gpu_limits_watts'])}",
        facts.get("operating_system"),
        facts.get("python") and f"Python {facts['python']}",
        facts.get("date"),
    ]
    lines = [f"Environment: {', '.join(phrase for phrase in phrases if phrase)}"]
    if facts.get("versions"):
        packages = (f"{name} {version}" for name, version in facts["versions"].items())
        lines.append(f"Packages: {', '.join(packages)}")
    return lines


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
