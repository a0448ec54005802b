"""From what a user names a network by to its genotype."""

import pathlib

from keras_fasterseg.files import read_json
from keras_fasterseg.genotype import Genotype
from keras_fasterseg.spaces.fasterseg.presets import load_preset, preset_names

SPACE = "fasterseg"


def resolve_genotype(name: str) -> Genotype:
    """The genotype of a preset's name or of a JSON file, the preset first.

    Raises:
        FileNotFoundError: `name` is neither.
        ValueError: The file holds no valid genotype, or one of another search space.
    """
    if name in preset_names():
        return load_preset(name)
    path = pathlib.Path(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"{name!r} is neither a preset ({', '.join(preset_names())}) nor a genotype's file."
        )
    value = read_json(path)
    # Said before the rest is checked: another space's genotype has other fields altogether.
    space = value.get("space", SPACE) if isinstance(value, dict) else SPACE
    if space != SPACE:
        raise ValueError(
            f"{path} is a genotype of the search space {space!r}, but networks are built of "
            f"{SPACE!r} only; give a genotype that its search wrote."
        )
    return Genotype.load(path)
