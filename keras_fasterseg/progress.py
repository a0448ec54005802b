"""Progress bars for people at a terminal, updated rarely in log files."""

import sys
from collections.abc import Iterable
from typing import Any, TypeVar

import tqdm

Item = TypeVar("Item")

_SECONDS_BETWEEN_LINES = 30.0


def progress_bar(
    items: Iterable[Item] | None,
    description: str,
    *,
    unit: str,
    total: int | None = None,
    show: bool = True,
) -> "tqdm.tqdm[Item]":
    """Wraps `items` in a bar on standard error, updated fast on a terminal and rarely in a log.

    Args:
        items: Items to iterate over; None if the caller updates the bar.
        description: Text before the bar.
        unit: Name of an item.
        total: Number of items, if `items` has no length.
        show: Whether to show the bar.
    """
    interval = 0.1 if sys.stderr.isatty() else _SECONDS_BETWEEN_LINES
    # tqdm's stub declares another type of bar for `items=None`.
    bar: Any = tqdm.tqdm(
        items,
        desc=description,
        total=total,
        unit=unit,
        disable=not show,
        mininterval=interval,
        # Without it a bar may wait longer than the interval.
        miniters=1,
        maxinterval=max(interval, 10.0),
    )
    return bar
