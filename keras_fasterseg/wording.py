"""Numbers, lists, times and tables for people."""

from collections.abc import Iterable, Sequence

import tabulate

# How many files a sentence for people names; JSON names all.
FEW = 3


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `2 images`; `plural` where that is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def few(names: Sequence[object]) -> str:
    """The first names, and how many there are besides."""
    rest = len(names) - FEW
    return ", ".join(map(str, names[:FEW])) + (f" and {rest:,} more" if rest > 0 else "")


def duration(seconds: float) -> str:
    """Seconds for people: `45 s`, `12.5 min`, `3.2 h`, `4.1 days`."""
    for limit, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}" if unit == 1 else f"{seconds / unit:.1f} {name}"
    return f"{seconds / 86400:.1f} days"


def text_table(headers: Sequence[str], rows: Iterable[Sequence[str]], align: str = "l") -> str:
    """Cells below their headers.

    Args:
        headers: One a column.
        rows: The cells.
        align: `l` or `r` for each of the first columns; the others go to the right.
    """
    sides = [{"l": "left", "r": "right"}[each] for each in align.ljust(len(headers), "r")]
    return tabulate.tabulate(rows, headers, colalign=sides, disable_numparse=True)
