"""Progress bars, which are for people at a terminal and must not fill a log file."""

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
    """`items`, with a bar on standard error: quick on a terminal, twice a minute in a log.

    Args:
        items: What is worked through; None where the bar is updated by hand.
        description: Said before the bar.
        unit: What an item is called.
        total: Number of items, if `items` has no length.
        show: Whether there is a bar at all.
    """
    interval = 0.1 if sys.stderr.isatty() else _SECONDS_BETWEEN_LINES
    # Its stub has another type of bar where there are no items.
    bar: Any = tqdm.tqdm(
        items,
        desc=description,
        total=total,
        unit=unit,
        disable=not show,
        mininterval=interval,
        # Without it a bar may hold back longer than the interval says.
        miniters=1,
        maxinterval=max(interval, 10.0),
    )
    return bar
