"""Numbers and lists in sentences."""

from collections.abc import Sequence

# How many files a sentence for people names; JSON names all.
FEW = 3


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `2 images`; `plural` where that is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def few(names: Sequence[object]) -> str:
    """The first names, and how many there are besides."""
    rest = len(names) - FEW
    return ", ".join(map(str, names[:FEW])) + (f" and {rest:,} more" if rest > 0 else "")
