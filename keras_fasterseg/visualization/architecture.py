"""Draws a derived network: its cells by layer and scale, its decoder, and their latency."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.picture import SERVING, TOP, Box, BoxKind, Picture, Row, Stroke, Wire
from keras_fasterseg.spaces.registry import space_of
from keras_fasterseg.visualization import card

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEGEND_TOP = TOP + 12
_LEGEND_LEFT = 130
_LEGEND_ROWS = 4
_LEGEND_PITCH = 20
_LEGEND_COLUMN = 264
_STRIPES = ("#ffffff", "#f6f8fa")
_LINE = 1.18
_LARGEST_LETTER = 11.0
# A name that needs smaller letters than this to fit on one line is split over two.
_LEAST_LETTER = 9.0
# Widths of "zoom 2x" and "12.3%" in multiples of the font size.
_LONG_NAME = 4.7
_LONG_SHARE = 3.35


def architecture_figure(
    genotype: Genotype, title: str, facts: str = "", shares: Mapping[str, float] | None = None
) -> "Figure":
    """Draws a network.

    Columns are the positions along the branches; rows are the scales of the cells' inputs. Cells
    shared by branches are drawn once. A box shows its operation, its number of output filters and,
    with `shares`, its percentage of the latency. A larger width multiplier makes the box taller.

    Args:
        genotype: The network.
        title: Title in large letters.
        facts: One line below the title.
        shares: Share of the latency, by stage name in `SearchSpace.stages`. A stage `serving`
            becomes a box too.

    Raises:
        ValueError: `shares` lacks a stage.
        ModuleNotFoundError: matplotlib is not installed.
    """
    layout = space_of(genotype).picture(genotype, card.WIDTH, serving=SERVING in (shares or {}))
    missing = [box.name for box in layout.boxes if shares is not None and box.name not in shares]
    if missing:
        raise ValueError(f"`shares` has no value for {', '.join(missing)}; give one per stage.")
    figure = card.card(layout.height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, card.WIDTH), ylim=(layout.height, 0))
    axes.axis("off")
    _draw_rows(axes, layout)
    for wire in layout.wires:
        _draw_wire(axes, wire)
    for crossing in layout.crossings:
        _draw_bridge(axes, crossing, _stripe(layout, layout.row_at(crossing[1])))
    for stroke in layout.strokes:
        _draw_stroke(axes, stroke, layout.kinds[stroke.kind].color)
    letter, in_one_line = _letters(layout.boxes[0].width)
    for box in layout.boxes:
        kind = layout.kinds[box.kind]
        lines = [" ".join(kind.lines)] if in_one_line else list(kind.lines)
        lines += [] if box.filters is None else [str(box.filters)]
        lines += [] if shares is None else [f"{100 * shares[box.name]:.1f}%"]
        _draw_box(axes, box, kind, lines, letter)
    _text(axes, 18, 26, title, 17, fontweight="bold")
    _text(axes, 18, 49, facts, 12.5, color=card.FAINT_INK)
    _draw_legend(axes, layout, shares is not None)
    return figure


def _letters(width: float) -> tuple[float, bool]:
    """Font size for boxes of this width, and whether names fit on one line."""
    letter = width / _LONG_NAME
    in_one_line = letter >= _LEAST_LETTER
    return min(_LARGEST_LETTER, letter if in_one_line else width / _LONG_SHARE), in_one_line


def _stripe(layout: Picture, row: Row) -> str:
    """Background colour of a row; rows of the stem are all white."""
    index = layout.rows.index(row)
    return _STRIPES[0 if index < layout.stem_rows else index % 2]


def _draw_rows(axes, layout: Picture) -> None:
    for row in layout.rows:
        stripe = _rectangle(
            (8, row.top),
            card.WIDTH - 16,
            row.height,
            facecolor=_stripe(layout, row),
            zorder=0,
        )
        axes.add_patch(stripe)
        name = "1/1" if row.scale == 1 else f"1/{row.scale}"
        _text(axes, 18, row.top + row.height / 2, name, 12.5, color=card.FAINT_INK)


def _draw_wire(axes, wire: Wire) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    axes.add_patch(
        FancyArrowPatch(
            path=Path(wire.points),
            arrowstyle="-|>",
            mutation_scale=7,
            linewidth=card.points(1.2 if wire.is_fine else 1.7),
            linestyle=(0, (3, 2)) if wire.is_fine else "-",
            color=card.GREEN if wire.is_fine else card.FAINT_INK,
            joinstyle="round",
            capstyle="butt",
            shrinkA=0,
            shrinkB=0,
            zorder=1 if wire.is_fine else 2,
        )
    )


def _draw_stroke(axes, stroke: Stroke, color: str) -> None:
    columns, rows = zip(*stroke.points, strict=True)
    axes.plot(columns, rows, color=color, linewidth=card.points(2), zorder=3)
    axes.plot(columns, rows, "o", color=card.INK, markersize=card.points(3), zorder=3.1)


def _draw_bridge(axes, crossing: tuple[float, float], background: str) -> None:
    """Draws the vertical wire over the horizontal one, so that they do not look joined."""
    x, y = crossing
    axes.add_patch(_rectangle((x - 3, y - 2), 6, 4, facecolor=background, zorder=2.5))
    axes.plot([x, x], [y - 4, y + 4], color=card.FAINT_INK, linewidth=card.points(1.7), zorder=2.6)


def _draw_box(axes, box: Box, kind: BoxKind, lines: list[str], letter: float) -> None:
    color = kind.color
    x, y = box.left[0], box.top[1]
    patch = _rectangle((x, y), box.width, box.height, facecolor=color, edgecolor=card.INK, zorder=3)
    patch.set(gid=box.name, linewidth=card.points(1))
    axes.add_patch(patch)
    first = box.center[1] - (len(lines) - 1) / 2 * _LINE * letter
    for index, line in enumerate(lines):
        _text(
            axes,
            box.center[0],
            first + index * _LINE * letter,
            line,
            letter,
            color=_ink_on(color),
            horizontalalignment="center",
            gid=f"{box.name}.{index}",
        )


def _draw_legend(axes, layout: Picture, has_shares: bool) -> None:
    names = {each.kind for each in (*layout.boxes, *layout.strokes)}
    entries = [kind for name, kind in layout.kinds.items() if name in names and kind.meaning]
    for index, kind in enumerate(entries):
        column, row = divmod(index, _LEGEND_ROWS)
        x = _LEGEND_LEFT + column * _LEGEND_COLUMN
        y = _LEGEND_TOP + row * _LEGEND_PITCH
        swatch = _rectangle((x, y - 6), 12, 12, facecolor=kind.color, edgecolor=card.INK, zorder=3)
        swatch.set_linewidth(card.points(1))
        axes.add_patch(swatch)
        _text(axes, x + 18, y, kind.meaning or "", 11.5)
    x = _LEGEND_LEFT + 2 * _LEGEND_COLUMN
    if any(wire.is_fine for wire in layout.wires):
        _draw_wire(axes, Wire(((x, _LEGEND_TOP), (x + 24, _LEGEND_TOP)), is_fine=True))
        _text(axes, x + 32, _LEGEND_TOP, "finer feature for a join", 11.5)
    notes = [*layout.notes, *(["%: share of the latency"] * has_shares)]
    for row, note in enumerate(notes, start=1):
        _text(axes, x, _LEGEND_TOP + row * _LEGEND_PITCH, note, 11.5)


def _rectangle(corner: tuple[float, float], width: float, height: float, **style):
    from matplotlib.patches import FancyBboxPatch, Rectangle

    if "edgecolor" not in style:
        return Rectangle(corner, width, height, linewidth=0, **style)
    box_style = "round,pad=0,rounding_size=3"
    return FancyBboxPatch(corner, width, height, boxstyle=box_style, **style)


def _text(axes, x: float, y: float, text: str, pixels: float, **style) -> None:
    if text:
        style = {"color": card.INK, "verticalalignment": "center_baseline", **style}
        axes.text(x, y, text, fontsize=card.points(pixels), zorder=4, **style)


def _ink_on(color: str) -> str:
    """Black or white, whichever has more contrast with `color`."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    # The relative luminance of WCAG 2; at .179, black and white have equal contrast.
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#ffffff"
