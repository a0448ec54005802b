"""Draws predicted against measured latencies of networks."""

import textwrap
from collections.abc import Sequence
from typing import Any

from keras_fasterseg.files import PathLike
from keras_fasterseg.latency.agreement import agreement
from keras_fasterseg.visualization import card

BAND = 0.1

_WIDTH, _HEIGHT = 640, 700
_TITLE_COLUMNS = 60


def save_latency_scatter(
    path: PathLike,
    predicted_ms: Sequence[float],
    measured_ms: Sequence[float],
    title: str,
    calibrated_ms: Sequence[float] | None = None,
) -> None:
    """Draws one point per network: measured latency on the x axis, predicted on the y axis.

    The diagonal is a perfect prediction, and the shaded area around it an error of up to 10%. The
    legend shows the rank correlation and the median error of each series.

    Args:
        path: The file to write atomically, with the suffix `.svg` or `.png`.
        predicted_ms: Sum of each network's rows of the latency table, in milliseconds.
        measured_ms: Measured latency of each network, in the same order, in milliseconds.
        title: Title of the picture, such as the device and the runtime.
        calibrated_ms: Calibrated prediction of each network, in milliseconds; None leaves it out.

    Raises:
        ValueError: `path` has another suffix, or the latencies cannot be compared (see
            `agreement`).
        ModuleNotFoundError: matplotlib is not installed.
    """
    card.check_suffix(path)
    style: dict[str, Any] = {"color": card.VERMILION, "marker": "x"}
    series = [("sum of the rows", predicted_ms, style)]
    if calibrated_ms is not None:
        series.append(("calibrated", calibrated_ms, {"color": card.BLUE, "marker": "o"}))
    labels = [_label(name, values, measured_ms) for name, values, _ in series]
    # Wrapped here: the layout reserves space for line breaks, but not for matplotlib's wrapping.
    lines = [part for line in title.splitlines() for part in textwrap.wrap(line, _TITLE_COLUMNS)]
    figure, axes = card.chart(_HEIGHT, "\n".join(lines), "measured, ms", "predicted, ms", _WIDTH)
    end = 1.08 * max(map(max, (measured_ms, *(values for _, values, _ in series))))
    axes.set(aspect="equal", xlim=(0, end), ylim=(0, end))
    low, high = (1 - BAND) * end, (1 + BAND) * end
    axes.fill_between((0, end), (0, low), (0, high), color=card.GRID, label=f"within {BAND:.0%}")
    axes.axline((0, 0), slope=1, color=card.FAINT_INK, ls="--", label="predicted = measured")
    for (_, values, style), label in zip(series, labels, strict=True):
        axes.scatter(measured_ms, values, alpha=0.85, label=label, zorder=3, **style)
    card.legend_below(figure)
    card.save_figure(figure, path)


def _label(name: str, predicted_ms: Sequence[float], measured_ms: Sequence[float]) -> str:
    found = agreement(predicted_ms, measured_ms)
    return f"{name}: Spearman {found.spearman:.3f}, median error {found.median_relative_error:.1%}"
