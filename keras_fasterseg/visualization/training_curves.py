"""Draws the course of trainings, epoch by epoch."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_fasterseg.visualization import card

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = (
    {"color": card.INK, "marker": "o", "linestyle": "-"},
    {"color": card.BLUE, "marker": "s", "linestyle": "-"},
    {"color": card.VERMILION, "marker": "^", "linestyle": "--"},
    {"color": card.GREEN, "marker": "D", "linestyle": "-."},
)
_HEIGHT = 380


@dataclasses.dataclass(frozen=True)
class TrainingCurve:
    """One training.

    Attributes:
        name: Name of its network.
        losses: The loss of every epoch.
        mious: Pairs of an epoch, counted from 1, and the mean IoU in [0, 1] after it, for the
            epochs with an evaluation.
    """

    name: str
    losses: Sequence[float]
    mious: Sequence[tuple[int, float]]


def training_figure(curves: Sequence[TrainingCurve], title: str) -> "Figure":
    """Draws losses and mean IoU of trainings side by side.

    Raises:
        ValueError: There are more curves than styles to distinguish them.
        ModuleNotFoundError: matplotlib is not installed.
    """
    if len(curves) > len(_STYLES):
        raise ValueError(
            f"A picture can show at most {len(_STYLES)} trainings. Received: {len(curves)}"
        )
    figure = card.chart_card(_HEIGHT, title)
    loss_axes, miou_axes = figure.subplots(1, 2, sharex=True)
    for axes in (loss_axes, miou_axes):
        card.style_axes(axes)
    for curve, style in zip(curves, _STYLES, strict=False):
        line = {"linewidth": card.points(2), "markersize": card.points(5), **style}
        epochs = range(1, len(curve.losses) + 1)
        loss_axes.plot(epochs, curve.losses, **line)
        line["markersize"] = card.points(8)
        evaluated = [epoch for epoch, _ in curve.mious]
        miou_axes.plot(evaluated, [100 * miou for _, miou in curve.mious], label=curve.name, **line)
    for axes, label in ((loss_axes, "training loss"), (miou_axes, "mIoU on val, %")):
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
    miou_axes.set_ylim(bottom=0)
    card.legend_below(figure, columns=len(curves))
    return figure
