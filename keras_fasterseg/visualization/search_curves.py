"""Draws the course of a search, epoch by epoch."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keras_fasterseg.visualization import card

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Series = Sequence[float | None]

CANDIDATE_STYLES: tuple[dict[str, Any], ...] = (
    {"color": card.BLUE, "marker": "o"},
    {"color": card.VERMILION, "marker": "s"},
    {"color": card.GREEN, "marker": "^"},
)
"""Colour and marker of the candidates, in order."""
BAND_COLOR = "#e1f2ea"

_FAMILY_STYLES = {
    "alpha": ("operators (alpha)", card.BLUE, "o"),
    "beta": ("paths (beta)", card.VERMILION, "s"),
    "gamma": ("widths (gamma)", card.GREEN, "^"),
}
_FURTHER_STYLE = (card.INK, "D")
_ROLE_LINES = ("-", "--")
_NOISE_LABEL = "of noise alone"
_HEIGHT = 640
_CHOICES_HEIGHT = 180


@dataclasses.dataclass(frozen=True)
class SearchCurves:
    """Series of a search with one item per epoch; None where a number is missing.

    Attributes:
        fps: Predicted frame rates, by name of the candidate.
        band: Lowest and highest frame rate of the search's band.
        penalty_weights: λ of the next epoch.
        entropies: Entropies by role, then by family, such as `alpha`; 1 is undecided.
        noise_entropies: Those that noise would give, likewise; empty if unknown.
        choices_left: Number of choices that pruning has left, by family; empty without pruning.
    """

    fps: Mapping[str, Series]
    band: tuple[float, float]
    penalty_weights: Series
    entropies: Mapping[str, Mapping[str, Series]]
    choices_left: Mapping[str, Series] = dataclasses.field(default_factory=dict)
    noise_entropies: Mapping[str, Mapping[str, Series]] = dataclasses.field(default_factory=dict)


def search_figure(curves: SearchCurves, title: str) -> "Figure":
    """Draws frame rates with their band, λ, entropies, and the choices left if a space prunes.

    All share the axis of epochs.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    prunes = bool(curves.choices_left)
    figure = card.chart_card(_HEIGHT + _CHOICES_HEIGHT * prunes, title)
    all_axes = figure.subplots(
        3 + prunes, 1, sharex=True, height_ratios=(1.35, 0.65, 1.0, 1.0)[: 3 + prunes]
    )
    fps_axes, weight_axes, entropy_axes = all_axes[:3]
    for axes in all_axes:
        card.style_axes(axes)
    draw_band(fps_axes.axhspan, curves.band)
    for (name, values), style in zip(curves.fps.items(), CANDIDATE_STYLES, strict=False):
        _plot(fps_axes, values, name, markersize=card.points(7), **style)
    fps_axes.set_ylabel("predicted FPS")
    _plot(weight_axes, curves.penalty_weights, None, color=card.INK, marker="D", markersize=3)
    if any(value is not None and value > 0 for value in curves.penalty_weights):
        # An epoch halves it, doubles it or leaves it unchanged.
        weight_axes.set_yscale("log", base=2)
        weight_axes.yaxis.set_major_formatter("{x:.3g}")
    weight_axes.set_ylabel("λ of the next\nepoch")
    styles = _family_styles(curves.entropies)
    for (role, families), line in zip(curves.entropies.items(), _ROLE_LINES, strict=False):
        for family, values in families.items():
            name, color, marker = styles[family]
            style = {"color": color, "marker": marker, "markersize": card.points(6)}
            _plot(entropy_axes, values, f"{role}: {name}", linestyle=line, **style)
            noise = curves.noise_entropies.get(role, {}).get(family, ())
            _plot(entropy_axes, noise, _NOISE_LABEL, color=color, linestyle=":")
    _label_once(entropy_axes, _NOISE_LABEL)
    entropy_axes.set_ylabel("entropy\n(1 = undecided)")
    if prunes:
        for family, values in curves.choices_left.items():
            name, color, marker = styles.get(family, (family, *_FURTHER_STYLE))
            style = {"color": color, "marker": marker, "markersize": card.points(6)}
            _plot(all_axes[3], values, name, **style)
        all_axes[3].set_yscale("log")
        all_axes[3].yaxis.set_major_formatter("{x:g}")
        all_axes[3].set_ylabel("choices left")
    all_axes[-1].set_xlabel("epoch")
    all_axes[-1].xaxis.get_major_locator().set_params(integer=True)
    for axes in (fps_axes, *all_axes[2:]):
        _legend_beside(axes)
    return figure


def draw_band(span, band: tuple[float, float]) -> None:
    """Shades the band of frame rates; `span` is an axes' `axhspan` or `axvspan`."""
    low, high = band
    span(
        low,
        high,
        facecolor=BAND_COLOR,
        edgecolor=card.GREEN,
        linewidth=card.points(1),
        label=f"band, {low:g} to {high:g}",
        zorder=0,
    )


def _family_styles(
    entropies: Mapping[str, Mapping[str, Series]],
) -> dict[str, tuple[str, str, str]]:
    """Name, colour and marker of every family; unknown families use the styles in turn."""
    families = dict.fromkeys(family for each in entropies.values() for family in each)
    styles = [*(style[1:] for style in _FAMILY_STYLES.values()), _FURTHER_STYLE]
    return {
        family: _FAMILY_STYLES.get(family, (family, *styles[index % len(styles)]))
        for index, family in enumerate(families)
    }


def _plot(axes, values: Series, label: str | None, **style) -> None:
    points = [(epoch + 1, value) for epoch, value in enumerate(values) if value is not None]
    if points:
        epochs, numbers = zip(*points, strict=True)
        axes.plot(epochs, numbers, label=label, linewidth=card.points(2), **style)


def _label_once(axes, label: str) -> None:
    """Leaves a label to the first of several lines with it."""
    for line in [line for line in axes.get_lines() if line.get_label() == label][1:]:
        line.set_label(None)


def _legend_beside(axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            fontsize=card.points(12),
            frameon=False,
            labelcolor=card.INK,
        )
