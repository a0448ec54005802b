"""Draws accuracy against frame rate, for candidates of a search and for finished networks."""

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
    """Frame rate and mean IoU, in [0, 1], of a network."""

    fps: float
    miou: float


def pareto_front(points: Sequence[TradeOff]) -> list[TradeOff]:
    """The Pareto front of `points`, in order of increasing frame rate.

    For a point on it, no other point is at least as good in both values and better in one. Equal
    points appear once.
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
    """Draws the candidates of a search with their Pareto front.

    Args:
        candidates: The candidates, by name of their group.
        chosen: The network chosen by the search, marked with a star; None if unknown.
        band: Lowest and highest frame rate of the search's band.
        title: Title of the picture.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    figure, axes = card.chart(_HEIGHT, title, "predicted FPS", "score (mIoU), %")
    draw_band(axes.axvspan, band)
    for (name, points), style in zip(candidates.items(), CANDIDATE_STYLES, strict=False):
        axes.scatter(
            [point.fps for point in points],
            [100 * point.miou for point in points],
            s=36,
            alpha=0.5,
            linewidths=0,
            label=name,
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
        label="Pareto front",
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
            label="result of the search",
            zorder=4,
        )
    card.legend_below(figure)
    return figure


def networks_figure(
    networks: Sequence[tuple[str, TradeOff]],
    title: str,
    band: tuple[float, float] | None = None,
) -> "Figure":
    """Draws measured frame rate and mean IoU of finished networks.

    Args:
        networks: Name and values of each network.
        title: Title of the picture.
        band: Lowest and highest frame rate of the search's band; None for no band.

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
