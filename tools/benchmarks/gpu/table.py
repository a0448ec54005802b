"""Markdown tables of the results in a folder."""

import pathlib
import statistics
from collections.abc import Callable, Mapping
from typing import Any

import tabulate

from keras_fasterseg.files import read_json, write_text
from tools.benchmarks.gpu.cases import BASELINE

Measurements = Mapping[str, Mapping[str, Any]]
TABLES = "tables.md"
GIB = 2**30


def write_tables(folder: pathlib.Path) -> str:
    """Writes the tables of all results into `tables.md` and returns the text."""
    paths = [folder / f"{piece}.json" for piece in _TABLES if (folder / f"{piece}.json").is_file()]
    text = "\n\n".join(piece_tables(path.stem, read_json(path)) for path in paths) + "\n"
    write_text(folder / TABLES, text)
    return text


def piece_tables(piece: str, value: Mapping[str, Any]) -> str:
    """The tables of one piece: machines, measurements and errors."""
    method, measurements = value["method"], value["measurements"]
    title = f"## {piece}" + (" (rehearsal: sizes are tiny)" if method.get("rehearsal") else "")
    parts = [title, *(_machine(number, each) for number, each in enumerate(value["machines"]))]
    parts.append(str(method.get("text", "")))
    done = {name: each for name, each in measurements.items() if "error" not in each}
    if done:
        parts.append(_TABLES[piece](done))
    failed = [(name, each["error"]) for name, each in measurements.items() if "error" in each]
    if failed:
        parts.append(_markdown(("not measured", "reason"), failed))
    return "\n\n".join(part for part in parts if part)


def _machine(number: int, machine: Mapping[str, Any]) -> str:
    card = ", ".join(machine["card"].values()) or "no GPU"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"Machine {number}: {card}; {machine['cpu']}, {machine['cores']} cores; {versions}."


def _networks(measurements: Measurements) -> str:
    headers = (
        "network",
        "batch",
        "precision",
        "engine",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "FPS",
        "times torch.compile",
        "share of peak %",
        "compile s",
        "memory GiB",
        "equal pixels %",
        "logit difference",
    )
    compiled = {
        _key(each): each["fps"] for each in measurements.values() if _engine(each) == BASELINE
    }
    rows = []
    for each in sorted(measurements.values(), key=lambda each: (*_key(each), -each["fps"])):
        baseline = compiled.get(_key(each))
        memory, equal = each["peak_memory_bytes"], each.get("equal_pixels")
        rows.append(
            (
                pathlib.PurePath(each["network"]).stem,
                each["batch"],
                each["precision"],
                " ".join(_engine(each)),
                *(f"{each[f'p{share}_ms']:.3f}" for share in (50, 90, 99)),
                f"{each['fps']:.1f}",
                f"{each['fps'] / baseline:.2f}" if baseline else "",
                f"{100 * each['share_of_peak']:.1f}",
                f"{each['compile_seconds']:.1f}",
                _gib(memory),
                "" if equal is None else f"{100 * equal:.3f}",
                "" if equal is None else f"{each['largest_logit_difference']:.1e}",
            )
        )
    return _markdown(headers, rows)


def _key(each: Mapping[str, Any]) -> tuple[Any, ...]:
    return each["network"], each["batch"], each["precision"]


def _engine(each: Mapping[str, Any]) -> tuple[str, str, str]:
    return each["backend"], each["model"], each["runner"]


def _supernet(measurements: Measurements) -> str:
    headers = (
        *("stage", "precision", "batch", "crop", "compile s", "p50 ms", "p99 ms"),
        *("back to back ms", "memory GiB", "steps of the preset", "hours"),
    )
    rows = [
        (
            *(each["stage"], each["precision"], each["batch_size"]),
            "x".join(map(str, each["crop_size"])),
            f"{each['compile_seconds']:.1f}",
            *(f"{each[name]:.1f}" for name in ("p50_ms", "p99_ms", "back_to_back_ms")),
            _gib(each["peak_memory_bytes"]),
            each["schedule_steps"],
            f"{each['schedule_hours']:.2f}",
        )
        for each in measurements.values()
    ]
    return _markdown(headers, rows)


def _latency(measurements: Measurements) -> str:
    headers = (
        *("backend", "predicted by", "Spearman", "median error %", "largest error %"),
        *("networks", "minutes"),
    )
    rows = [
        (
            backend,
            kind,
            f"{each[kind]['spearman']:.3f}",
            f"{100 * each[kind]['median_relative_error']:.1f}",
            f"{100 * each[kind]['worst_relative_error']:.1f}",
            len(each["networks"]),
            f"{each['seconds'] / 60:.1f}",
        )
        for backend, each in measurements.items()
        for kind in ("sum", "calibrated")
        if kind in each
    ]
    return _markdown(headers, rows)


def _onnxruntime(measurements: Measurements) -> str:
    headers = ("network", "precision", "provider", "p50 ms", "p90 ms", "p99 ms", "FPS", "load s")
    rows = [
        (
            *(each["network"], each["precision"], each["provider"]),
            *(f"{each[f'p{share}_ms']:.3f}" for share in (50, 90, 99)),
            f"{each['fps']:.1f}",
            f"{each['load_seconds']:.1f}",
        )
        for each in measurements.values()
        if "provider" in each
    ]
    return _markdown(headers, rows)


def _camvid(measurements: Measurements) -> str:
    scored = [each for each in measurements.values() if "miou" in each]
    networks = list(dict.fromkeys(each["network"] for each in scored))
    seeds = sorted({each["seed"] for each in scored})
    rows = []
    for network in networks:
        own = {each["seed"]: 100 * each["miou"] for each in scored if each["network"] == network}
        values = list(own.values())
        spread = f"{statistics.stdev(values):.2f}" if len(values) > 1 else ""
        shown = (f"{own[seed]:.2f}" if seed in own else "" for seed in seeds)
        rows.append((network, *shown, f"{statistics.mean(values):.2f}", spread))
    headers = (
        *("mIoU % on val", *(f"seed {seed}" for seed in seeds)),
        *("mean", "standard deviation"),
    )
    times = [(name, f"{each['seconds'] / 60:.1f}") for name, each in measurements.items()]
    return "\n\n".join([_markdown(headers, rows), _markdown(("stage", "minutes"), times)])


def _gib(memory: int | None) -> str:
    return "" if memory is None else f"{memory / GIB:.2f}"


def _markdown(headers: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    return tabulate.tabulate(rows, headers, tablefmt="github", disable_numparse=True)


_TABLES: dict[str, Callable[[Measurements], str]] = {
    "networks": _networks,
    "supernet": _supernet,
    "latency": _latency,
    "onnxruntime": _onnxruntime,
    "camvid": _camvid,
}
