"""The published FasterSeg networks as genotypes.

Both are derived from the released architecture parameters with `derive(...,
reference_quirks=True)`: the student (widths 4/12 to 12/12, stem and heads 8/12) and the teacher
(full width, no skips).
"""

import pathlib

_FOLDER = pathlib.Path(__file__).resolve().parent


def preset_files() -> dict[str, pathlib.Path]:
    """Files of the genotypes, by name."""
    return {path.stem: path for path in _FOLDER.glob("*.json")}
