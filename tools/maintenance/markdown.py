"""Tables and numbers in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

import tabulate


def table(rows: Iterable[Sequence[Any]], headers: Sequence[str], right: bool = False) -> str:
    """A Markdown table. Cells are not reformatted.

    Args:
        rows: Cells; `None` is an empty cell.
        headers: One per column.
        right: Aligns all columns but the first to the right.
    """
    cells = [["" if cell is None else _escaped(str(cell)) for cell in row] for row in rows]
    return tabulate.tabulate(
        cells,
        list(map(_escaped, headers)),
        tablefmt="pipe",
        colalign=("left", *["right"] * (len(headers) - 1)) if right else None,
        disable_numparse=True,
    )


def number(value: float | None, form: str, factor: float = 1) -> str | None:
    """Formats `factor * value`; passes `None` through."""
    return None if value is None else format(factor * value, form)


def details(summary: str, text: str) -> str:
    """A collapsed section that opens with a click on its summary."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _escaped(text: str) -> str:
    # An unescaped vertical bar would end the cell.
    return text.replace("|", "\\|")
