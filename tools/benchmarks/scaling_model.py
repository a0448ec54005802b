"""Simulated steps of many devices, from a step alone and the sums that it makes.

Communication is not hidden behind computation: sums follow one another, and those of gradients come
after the last one of batch statistics.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from tools.benchmarks.collective_operations import STACKED

_LARGEST = 1 << 16
_STATISTICS = ("statistics", "statistic_gradients")


@dataclasses.dataclass(frozen=True)
class Network:
    """Constants of the network between devices. All are assumed, none is measured.

    Attributes:
        node_devices: Devices of a node.
        node_bytes_per_second: Bandwidth of a device within its node.
        node_seconds: Latency of a sum within a node.
        link_bytes_per_second: Bandwidth of a node to others.
        hop_seconds: Latency of one hop between nodes.
    """

    node_devices: int = 8
    node_bytes_per_second: float = 200e9
    node_seconds: float = 10e-6
    link_bytes_per_second: float = 12.5e9
    hop_seconds: float = 20e-6

    def seconds(self, operations: float, total: float, devices: int) -> float:
        """Seconds of sums one after the other: first within nodes, then between them.

        The latency between nodes is that of a tree, up and down; the bytes are those of a ring.

        Args:
            operations: Number of sums.
            total: Bytes of all sums, of one device.
            devices: Number of devices that sum. Above `node_devices`, nodes are full.
        """
        local = min(devices, self.node_devices)
        nodes = math.ceil(devices / self.node_devices)
        latency = self.node_seconds * (local > 1) + 2 * math.log2(nodes) * self.hop_seconds
        ring = 2 * (local - 1) / local / self.node_bytes_per_second
        ring += 2 * (nodes - 1) / nodes / self.link_bytes_per_second
        return operations * latency + total * ring


@dataclasses.dataclass(frozen=True)
class Sums:
    """Sums of one kind in a step of one device.

    Attributes:
        operations: Number of sums.
        bytes: Bytes, in all. Of stacked kinds, those of a single replica's row; of hard pixels,
            also of a single image.
    """

    operations: float
    bytes: float

    def scaled(self, operations: float, total: float | None = None) -> "Sums":
        """The sums with their number and bytes times these factors (default: one for both)."""
        total = operations if total is None else total
        return Sums(self.operations * operations, self.bytes * total)


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of one device.

    Attributes:
        fixed_seconds: Seconds that do not depend on the images.
        image_seconds: Seconds of every image.
        sums: Its sums by kind.
        stacked: Kinds whose tensors have a row for every device.
        hard_pixels: Whether few pixels are hard, so that the entropies of all are gathered.
    """

    fixed_seconds: float
    image_seconds: float
    sums: Mapping[str, Sums]
    stacked: tuple[str, ...] = STACKED
    hard_pixels: bool = False

    def changed(self, **sums: Sums) -> "Step":
        """The step with other sums of some kinds."""
        return dataclasses.replace(self, sums={**self.sums, **sums})

    def times(
        self, devices: int, images: float, network: Network, speed_up: float = 1
    ) -> "StepTimes":
        """Times with so many images per device, which computes `speed_up` times faster."""

        def of(kind: str) -> float:
            own = self.sums[kind]
            rows = devices if kind in self.stacked else 1
            if kind == "hard_pixels" and kind in self.stacked:
                rows *= images
            return network.seconds(own.operations, own.bytes * rows, devices)

        return StepTimes(
            compute=(self.fixed_seconds + self.image_seconds * images) / speed_up,
            statistics=sum(map(of, _STATISTICS)),
            gradients=of("gradients"),
            losses=of("losses") + (of("hard_pixels") if self.hard_pixels else 0),
        )


@dataclasses.dataclass(frozen=True)
class StepTimes:
    """Seconds of the parts of a step."""

    compute: float
    statistics: float
    gradients: float
    losses: float

    @property
    def total(self) -> float:
        return self.compute + self.statistics + self.gradients + self.losses


def step_of(measured: Mapping[str, Any], replicas: int = 2) -> Step:
    """The step that `tools.benchmarks.communication` measured."""
    one, two = (measured["step_seconds"][images] for images in ("1", "2"))
    fixed = max(2 * one - two, 0)
    sums = {
        kind: Sums(each["operations"], each["bytes"] / (replicas if kind in STACKED else 1))
        for kind, each in measured["sums"].items()
    }
    return Step(fixed, (two - fixed) / 2, sums)


def weak_efficiency(
    step: Step, devices: int, images: int, network: Network, speed_up: float
) -> float:
    """Share of the ideal speed, with the same number of images per device."""
    alone = step.times(1, images, network, speed_up).total
    return alone / step.times(devices, images, network, speed_up).total


def strong_efficiency(
    step: Step, devices: int, batch: int, network: Network, speed_up: float
) -> float:
    """Share of the ideal speed, with the same number of images per complete batch."""
    alone = step.times(1, batch, network, speed_up).total
    return alone / devices / step.times(devices, batch / devices, network, speed_up).total


def end_of_scaling(efficiency: Callable[[int], float], largest: int = _LARGEST) -> int | None:
    """The smallest power of two devices with an efficiency below one half; None if beyond."""
    devices = 2
    while devices <= largest:
        if efficiency(devices) < 0.5:
            return devices
        devices *= 2
    return None


def _without_statistics(step: Step) -> Step:
    return step.changed(**dict.fromkeys(_STATISTICS, Sums(0, 0)))


def _added_statistics(step: Step) -> Step:
    stacked = tuple(kind for kind in step.stacked if kind != "statistics")
    return dataclasses.replace(step, stacked=stacked)


def _grouped(step: Step) -> Step:
    return step.changed(**{kind: step.sums[kind].scaled(0.25, 1) for kind in _STATISTICS})


def _half_gradients(step: Step) -> Step:
    return step.changed(gradients=step.sums["gradients"].scaled(1, 0.5))


def _shrunk(step: Step, factor: float, gradients: float) -> Step:
    kinds = {kind: step.sums[kind].scaled(factor) for kind in (*_STATISTICS, "losses")}
    shorter = dataclasses.replace(
        step,
        fixed_seconds=step.fixed_seconds * factor,
        image_seconds=step.image_seconds * factor,
    )
    return shorter.changed(**kinds, gradients=step.sums["gradients"].scaled(1, gradients))


def _mined(step: Step) -> Step:
    return dataclasses.replace(step, hard_pixels=True)


def _counted(step: Step) -> Step:
    """The threshold of hard pixels found by 32 sums of a count, instead of all entropies."""
    operations = 32 * step.sums["hard_pixels"].operations
    stacked = tuple(kind for kind in step.stacked if kind != "hard_pixels")
    counted = step.changed(hard_pixels=Sums(operations, 4 * operations))
    return dataclasses.replace(counted, stacked=stacked, hard_pixels=True)


@dataclasses.dataclass(frozen=True)
class Change:
    """A change of a step, and how it is made.

    Attributes:
        name: What is different.
        flag: The flag of it; empty if the code cannot do it.
        apply: Maps a step to the changed one.
        images: Factor of the images per device.
    """

    name: str
    flag: str
    apply: Callable[[Step], Step] = lambda step: step
    images: int = 1


CHANGES = (
    Change("none", "default"),
    Change("statistics not synchronised", "`sync_batch_norm`", _without_statistics),
    Change("statistics added up, not gathered", "", _added_statistics),
    Change("gradients in float16", "", _half_gradients),
    Change("four sums of statistics in one", "", _grouped),
    Change("four times the images", "`batch_size`", images=4),
    Change("half the passes", "", lambda step: _shrunk(step, 0.5, 1)),
    Change("a sampled fifth of the supernet", "", lambda step: _shrunk(step, 0.2, 0.2)),
    Change("few pixels are hard", "happens", _mined),
    Change("few pixels are hard, found by counts", "", _counted),
)
"""Changes to simulate. Few pixels are hard for a network that is good already."""
