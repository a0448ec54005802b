"""Predicted against measured latencies of networks, as a picture."""

import pathlib
import textwrap
from collections.abc import Sequence

import numpy as np

from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.latency.agreement import agreement

BAND = 0.1

_INK = "#333333"
_DIAGONAL = "#7f7f7f"
_BAND_FILL = "#e4e4e4"
_RAW = "#c05a00"
_CALIBRATED = "#0b6bb0"
_TITLE_COLUMNS = 60


def save_latency_scatter(
    path: PathLike,
    predicted_ms: Sequence[float],
    measured_ms: Sequence[float],
    title: str,
    calibrated_ms: Sequence[float] | None = None,
) -> None:
    """Writes a PNG of one point a network: measured latency to the right, predicted upwards.

    The diagonal is a perfect prediction, the band around it an error of ten percent. The legend
    tells the rank correlation and the median error of each series.

    Args:
        path: The file to write, with the suffix `.png`; whole or not there.
        predicted_ms: The sum of the table's rows of each network, in milliseconds.
        measured_ms: The measured latency of each, in the same order.
        title: What stands above, such as the device and the runtime.
        calibrated_ms: The calibrated prediction of each; None leaves that series out.

    Raises:
        ValueError: `path` has another suffix, or the latencies cannot be compared (see
            `agreement`).
        ModuleNotFoundError: matplotlib is not installed.
    """
    if pathlib.Path(path).suffix != ".png":
        raise ValueError(f"The picture must be a .png file. Received: {path}")
    series = [("sum of the rows", predicted_ms, _RAW, "x")]
    if calibrated_ms is not None:
        series.append(("calibrated", calibrated_ms, _CALIBRATED, "o"))
    labels = [_label(name, values, measured_ms) for name, values, _, _ in series]

    # Imported here, and without pyplot: a library must not start a plotting state of its own.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 7.0), dpi=150, facecolor="white", layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(aspect="equal", facecolor="white")
    end = 1.08 * max(float(np.max(values)) for values in (measured_ms, *(s[1] for s in series)))
    ends = np.array([0.0, end])
    axes.fill_between(
        ends,
        (1 - BAND) * ends,
        (1 + BAND) * ends,
        color=_BAND_FILL,
        linewidth=0,
        label=f"within {BAND:.0%}",
    )
    axes.plot(
        ends, ends, color=_DIAGONAL, linewidth=1, linestyle="--", label="predicted = measured"
    )
    for (_, values, color, marker), label in zip(series, labels, strict=True):
        axes.scatter(
            measured_ms, values, s=36, c=color, marker=marker, alpha=0.85, label=label, zorder=3
        )
    axes.set(xlim=(0, end), ylim=(0, end), xlabel="measured, ms", ylabel="predicted, ms")
    # The layout leaves room for line breaks, but not for matplotlib's own wrapping.
    lines = [part for line in title.splitlines() for part in textwrap.wrap(line, _TITLE_COLUMNS)]
    axes.set_title("\n".join(lines), color=_INK)
    axes.tick_params(colors=_INK)
    axes.grid(color="#f0f0f0")
    axes.set_axisbelow(True)
    # Below the axes, where it hides no point.
    figure.legend(loc="outside lower center", fontsize="small", ncols=2)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def _label(name: str, predicted_ms: Sequence[float], measured_ms: Sequence[float]) -> str:
    found = agreement(predicted_ms, measured_ms)
    return f"{name}: Spearman {found.spearman:.3f}, median error {found.median_relative_error:.1%}"
