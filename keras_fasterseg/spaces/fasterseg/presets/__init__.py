"""The published FasterSeg networks as genotypes.

Derived from the released architecture parameters with `derive(..., reference_quirks=True)`: the
student (widths 4/12 to 12/12, stem and heads 8/12) and the teacher (widest throughout, no skips).
"""

import pathlib

from keras_fasterseg.genotype import Genotype

_FOLDER = pathlib.Path(__file__).resolve().parent


def preset_names() -> tuple[str, ...]:
    """The names that `load_preset` knows, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def load_preset(name: str) -> Genotype:
    """The published network of that name.

    Raises:
        ValueError: There is none; the message lists those there are.
    """
    names = preset_names()
    if name not in names:
        raise ValueError(f"There is no preset {name!r}; choose one of {', '.join(names)}.")
    return Genotype.load(_FOLDER / f"{name}.json")
