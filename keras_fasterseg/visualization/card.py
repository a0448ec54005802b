"""The white card behind every figure, and its conversion to a file or pixels.

A card looks the same on light and dark pages: it is opaque, except outside its rounded corners.
Units are CSS pixels; a card of width 900 fills a README.
"""

import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.visualization.text import font_paths, font_runs, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 900
SUFFIXES = (".svg", ".png")

INK = "#24292f"
FAINT_INK = "#57606a"
GRID = "#eaeef2"
# Okabe and Ito's colours, distinguishable by the colour-blind (https://jfly.uni-koeln.de/color/).
ORANGE = "#e69f00"
SKY_BLUE = "#56b4e9"
GREEN = "#009e73"
BLUE = "#0072b2"
VERMILION = "#d55e00"
PURPLE = "#cc79a7"

_BORDER = "#d0d7de"
_CORNER = 8
_PIXELS_PER_INCH = 96
_POINTS_PER_PIXEL = 72 / _PIXELS_PER_INCH
# A PNG has twice the displayed resolution.
_PNG_SCALE = 2


def card(height: float, width: float = WIDTH) -> "Figure":
    """An empty figure of this size in pixels, white with a border.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    # Imported here, and without pyplot: a library must not change pyplot's global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    size = (width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH)
    figure = Figure(figsize=size, dpi=_PIXELS_PER_INCH, facecolor="none")
    FigureCanvasAgg(figure)
    edge = 1 / _PIXELS_PER_INCH
    background = FancyBboxPatch(
        (edge, edge),
        size[0] - 2 * edge,
        size[1] - 2 * edge,
        boxstyle=f"round,pad=0,rounding_size={_CORNER / _PIXELS_PER_INCH}",
        transform=figure.dpi_scale_trans,
        facecolor="white",
        edgecolor=_BORDER,
        linewidth=points(1),
        zorder=-1,
    )
    background.set_in_layout(False)
    figure.add_artist(background)
    return figure


def chart_card(height: float, title: str, width: float = WIDTH) -> "Figure":
    """A card with a title and a layout that keeps all labels inside."""
    figure = card(height, width)
    figure.set_layout_engine("constrained", w_pad=0.14, h_pad=0.1)
    figure.suptitle(title, color=INK, fontsize=points(16), fontweight="bold")
    return figure


def chart(height: float, title: str, x_label: str, y_label: str, width: float = WIDTH):
    """A card with a title and one pair of axes. Returns the figure and the axes."""
    figure = chart_card(height, title, width)
    axes = figure.add_subplot()
    style_axes(axes)
    axes.set(xlabel=x_label, ylabel=y_label)
    return figure, axes


def legend_below(figure: "Figure", columns: int = 2) -> None:
    """Adds a legend below the axes, where it covers nothing."""
    figure.legend(
        loc="outside lower center",
        ncols=columns,
        fontsize=points(12),
        frameon=False,
        labelcolor=INK,
    )


def style_axes(axes) -> None:
    """Gives axes the common colours and font sizes."""
    axes.set_facecolor("white")
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=points(12))
    axes.xaxis.label.set(color=INK, size=points(13))
    axes.yaxis.label.set(color=INK, size=points(13))
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(FAINT_INK)


def points(pixels: float) -> float:
    """Converts pixels to points, matplotlib's unit of font sizes and line widths."""
    return pixels * _POINTS_PER_PIXEL


def save_figure(figure: "Figure", path: PathLike) -> None:
    """Writes a figure as SVG, with text kept as text, or as PNG.

    The same figure always gives the same bytes.

    Args:
        figure: The figure.
        path: The file to write atomically, with the suffix `.svg` or `.png`.

    Raises:
        ValueError: `path` has another suffix.
        OSError: The file cannot be written.
    """
    check_suffix(path)
    _give_fonts(figure)
    from matplotlib import rc_context

    # No date, no version of matplotlib, and no random ids.
    options: dict[str, Any]
    if pathlib.Path(path).suffix == ".svg":
        options = {"metadata": {"Date": None, "Creator": None}}
    else:
        options = {"metadata": {"Software": None}, "dpi": _PNG_SCALE * _PIXELS_PER_INCH}
    fixed: dict[Any, str] = {"svg.hashsalt": "keras_fasterseg", "svg.fonttype": "none"}
    with rc_context(fixed), atomic_path(path) as temporary:
        figure.savefig(temporary, **options)


def check_suffix(path: PathLike) -> None:
    """Raises `ValueError` unless a figure can be written to `path`."""
    if pathlib.Path(path).suffix not in SUFFIXES:
        raise ValueError(f"A picture must be a .svg or a .png file. Received: {path}")


def figure_pixels(figure: "Figure") -> np.ndarray:
    """Renders the figure on white, as uint8 of shape `(height, width, 3)`."""
    _give_fonts(figure)
    figure.canvas.draw()
    # `card` created this canvas.
    buffer = figure.canvas.buffer_rgba()  # pyright: ignore[reportAttributeAccessIssue]
    pixels = np.asarray(buffer).astype(np.float32)
    opacity = pixels[..., 3:] / 255
    return np.rint(pixels[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)


def _give_fonts(figure: "Figure") -> None:
    """Sets fallback fonts for texts with letters that the default font lacks."""
    from matplotlib.font_manager import FontProperties, fontManager
    from matplotlib.text import Text

    paths = font_paths()
    others = [each for each in figure.findobj(Text) if _needs_others(each.get_text())]
    for each in others:
        each.set_text(shown(each.get_text()))
        families = [FontProperties(fname=str(path)).get_name() for path in paths]
        known = {entry.name for entry in fontManager.ttflist}
        for path, family in zip(paths, families, strict=True):
            if family not in known:
                fontManager.addfont(path)
        each.set_fontfamily(families)


def _needs_others(text: str) -> bool:
    return shown(text) != text or any(number for number, _ in font_runs(text))
