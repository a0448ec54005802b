"""Accuracy against frame rate, as pictures: candidates of a search, and finished networks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from keras_fasterseg.visualization import card
from keras_fasterseg.visualization.search_curves import CANDIDATE_STYLES, draw_band

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = (
    (card.INK, "o"),
    (card.BLUE, "s"),
    (card.VERMILION, "^"),
    (card.GREEN, "D"),
    (card.PURPLE, "v"),
    (card.ORANGE, "P"),
)
_HEIGHT = 480


@dataclasses.dataclass(frozen=True)
class TradeOff:
    """A network's frame rate and its mean IoU in [0, 1]."""

    fps: float
    miou: float


def pareto_front(points: Sequence[TradeOff]) -> list[TradeOff]:
    """Those that no other one beats: none is as fast and as accurate, and better in one of both.

    In the order of rising frame rates; of equal ones, one stands for all.
    """
    front: list[TradeOff] = []
    for point in sorted(set(points), key=lambda each: (-each.fps, -each.miou)):
        if not front or point.miou > front[-1].miou:
            front.append(point)
    return front[::-1]


def candidates_figure(
    candidates: Mapping[str, Sequence[TradeOff]],
    chosen: TradeOff | None,
    band: tuple[float, float],
    title: str,
) -> "Figure":
    """Draws the candidates of all epochs with their front.

    Args:
        candidates: Those of all epochs, the last epoch's last, by what a candidate is called.
        chosen: What the search ended with, marked by a star; None if it cannot be told.
        band: Lowest and highest frame rate that the search steered between.
        title: What stands above.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure, axes = card.chart(_HEIGHT, title, "predicted FPS", "mIoU of the supernet, %")
    draw_band(axes.axvspan, band)
    for (name, points), style in zip(candidates.items(), CANDIDATE_STYLES, strict=False):
        axes.scatter(
            [point.fps for point in points],
            [100 * point.miou for point in points],
            s=36,
            alpha=0.5,
            linewidths=0,
            label=f"{name}, every epoch",
            zorder=2,
            **style,
        )
    front = pareto_front([point for points in candidates.values() for point in points])
    axes.plot(
        [point.fps for point in front],
        [100 * point.miou for point in front],
        color=card.INK,
        linestyle="--",
        linewidth=card.points(1.5),
        marker="o",
        markersize=card.points(11),
        markerfacecolor="none",
        label="none is faster and more accurate",
        zorder=3,
    )
    if chosen is not None:
        axes.scatter(
            [chosen.fps],
            [100 * chosen.miou],
            s=190,
            marker="*",
            color=card.ORANGE,
            edgecolors=card.INK,
            linewidths=card.points(1),
            label="what the search ended with",
            zorder=4,
        )
    card.legend_below(figure)
    return figure


def networks_figure(
    networks: Sequence[tuple[str, TradeOff]],
    title: str,
    band: tuple[float, float] | None = None,
) -> "Figure":
    """Draws finished networks: measured frame rate and mean IoU.

    Args:
        networks: What each is called, and what it reaches.
        title: What stands above.
        band: The band of frame rates that was asked for, if there was one.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure, axes = card.chart(_HEIGHT, title, "measured FPS", "mIoU on val, %")
    if band is not None:
        draw_band(axes.axvspan, band)
    for index, (name, point) in enumerate(networks):
        color, marker = _MARKERS[index % len(_MARKERS)]
        axes.scatter(
            [point.fps],
            [100 * point.miou],
            s=90,
            color=color,
            marker=marker,
            label=f"{name}: {100 * point.miou:.2f} %, {point.fps:.1f} FPS",
            zorder=3,
        )
    axes.margins(0.15)
    card.legend_below(figure)
    return figure
