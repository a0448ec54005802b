"""Tables of measured sums of steps, and of simulated steps of many devices."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from keras_fasterseg.files import PathLike, read_json
from tools.benchmarks.scaling_model import (
    CHANGES,
    Change,
    Network,
    end_of_scaling,
    step_of,
    strong_efficiency,
    weak_efficiency,
)
from tools.maintenance.markdown import number, table

DEVICES = (1, 8, 64, 512)
LARGE_BATCH = 512
_STATISTICS = ("statistics", "statistic_gradients")
# Nobody has more devices than these; above them, it is enough to say so.
_MOST = 65536


def scaling_markdown(
    files: Sequence[PathLike], network: Network | None = None, speed_up: float = 100
) -> str:
    """Sections for results of `tools.benchmarks.communication`.

    Args:
        files: The results.
        network: Constants of the network; `None`: the defaults.
        speed_up: Speed of the assumed device, as a multiple of the measured core's.
    """
    network = network or Network()
    steps = [(_name(file), read_json(file)) for file in files]
    return "\n\n".join(
        [
            "### Measured",
            _measured(steps),
            "### The same images per device",
            _weak(steps, network, speed_up),
            "### The same images per complete batch",
            _strong(steps, network, speed_up),
            "### What would move the end",
            _changes(steps, network, speed_up),
        ]
    )


def _name(file: PathLike) -> str:
    return pathlib.Path(file).stem.replace("_", " ")


def _measured(steps: Iterable[tuple[str, Any]]) -> str:
    rows = []
    for name, each in steps:
        sums = each["sums"]
        _, height, width, _ = each["images"]
        # Sums of statistics disappear without synchronisation; all others stay.
        usual = [sums[kind] for kind in ("losses", "gradients")]
        both = [sums[kind] for kind in _STATISTICS]
        rows.append(
            [
                name,
                f"{height}x{width}",
                *(number(each["step_seconds"][images], ".2f") for images in ("1", "2")),
                str(_total(usual + both, "operations")),
                str(_total(usual, "operations")),
                number(sums["gradients"]["bytes"], ".2f", 1e-6),
                number(_total(both, "bytes"), ".2f", 1e-6),
                number(sums["hard_pixels"]["bytes"], ".2f", 1e-6),
                number(each.get("loopback_bytes"), ".2f", 1e-6),
            ]
        )
    header = [
        *("step", "image", "s, 1 image", "s, 2 images", "sums", "sums, not synchronised"),
        *("MB of gradients", "MB of statistics", "MB of hard pixels"),
        "MB sent, measured",
    ]
    if not any(row[-1] for row in rows):
        rows, header = [row[:-1] for row in rows], header[:-1]
    return table(rows, header, right=True)


def _total(sums: Iterable[Any], key: str) -> int:
    return sum(each[key] for each in sums)


def _weak(steps: Iterable[tuple[str, Any]], network: Network, speed_up: float) -> str:
    rows = []
    for name, each in steps:
        step, images = step_of(each), each["images"][0]
        for devices in DEVICES:
            own, fast = (step.times(devices, images, network, speed) for speed in (1, speed_up))
            rows.append(
                [
                    name,
                    str(images),
                    str(devices),
                    number(own.total, ".2f"),
                    _percent(weak_efficiency(step, devices, images, network, 1)),
                    number(fast.total, ".1f", 1000),
                    _percent(weak_efficiency(step, devices, images, network, speed_up)),
                    _percent(weak_efficiency(step, devices, images, network, 10 * speed_up)),
                    _percent(fast.statistics / fast.total),
                    _percent(fast.gradients / fast.total),
                ]
            )
    header = [
        *("step", "images per device", "devices", "s, this core", "efficiency %, this core"),
        *(f"ms, {speed_up:g} times faster", "efficiency %"),
        *(f"efficiency %, {10 * speed_up:g} times faster", "statistics %", "gradients %"),
    ]
    return table(rows, header, right=True)


def _strong(steps: Iterable[tuple[str, Any]], network: Network, speed_up: float) -> str:
    rows = []
    for name, each in steps:
        step, batch = step_of(each), each["images"][0]
        for images, devices in [(batch, batch), *((LARGE_BATCH, count) for count in DEVICES)]:
            fast = step.times(devices, images / devices, network, speed_up)
            rows.append(
                [
                    name,
                    str(images),
                    str(devices),
                    number(fast.total, ".1f", 1000),
                    _percent(strong_efficiency(step, devices, images, network, speed_up)),
                    _percent(fast.statistics / fast.total),
                    _percent(fast.gradients / fast.total),
                ]
            )
    header = [
        *("step", "images per batch", "devices", f"ms, {speed_up:g} times faster"),
        *("efficiency %", "statistics %", "gradients %"),
    ]
    return table(rows, header, right=True)


def _changes(steps: Sequence[tuple[str, Any]], network: Network, speed_up: float) -> str:
    rows = [
        [
            change.name,
            change.flag or "no",
            *(_cell(change, each, network, speed_up) for _, each in steps),
        ]
        for change in CHANGES
    ]
    return table(rows, ["change", "in the code", *(name for name, _ in steps)], right=True)


def _cell(change: Change, measured: Any, network: Network, speed_up: float) -> str:
    """Efficiency and relative speed of the most devices, and the number below one half."""
    usual, batch = step_of(measured), measured["images"][0]
    step, images = change.apply(usual), change.images * batch

    def efficiency(devices: int) -> float:
        return weak_efficiency(step, devices, images, network, speed_up)

    end = end_of_scaling(efficiency, _MOST)
    before = usual.times(DEVICES[-1], batch, network, speed_up).total
    after = step.times(DEVICES[-1], images, network, speed_up).total
    speed = change.images * before / after
    return (
        f"{_percent(efficiency(DEVICES[-1]))}, x{speed:.2g}, "
        f"{f'> {_MOST:,}' if end is None else f'{end:,}'}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"
