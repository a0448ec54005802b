"""Readable numbers, lists, durations and tables."""

from collections.abc import Iterable, Sequence

import tabulate

# Number of files named in a sentence; JSON lists all of them.
FEW = 3


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Formats `1 image`, `2 images`; `plural` is needed if the plural is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def few(names: Sequence[object]) -> str:
    """Formats the first names and the number of further ones."""
    rest = len(names) - FEW
    return ", ".join(map(str, names[:FEW])) + (f" and {rest:,} more" if rest > 0 else "")


def duration(seconds: float) -> str:
    """Formats seconds as `45 s`, `12.5 min`, `3.2 h` or `4.1 days`."""
    for limit, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}" if unit == 1 else f"{seconds / unit:.1f} {name}"
    return f"{seconds / 86400:.1f} days"


def text_table(headers: Sequence[str], rows: Iterable[Sequence[str]], align: str = "l") -> str:
    """Formats a table of cells below their headers.

    Args:
        headers: One header per column.
        rows: Cells of each row.
        align: `l` (left) or `r` (right) for each of the first columns; further ones are right.
    """
    sides = [{"l": "left", "r": "right"}[each] for each in align.ljust(len(headers), "r")]
    return tabulate.tabulate(rows, headers, colalign=sides, disable_numparse=True)
