"""The search spaces by name, and the genotypes of all of them."""

import importlib
import pathlib
from typing import TYPE_CHECKING, Any

from keras_fasterseg.files import PathLike, read_json, shown

if TYPE_CHECKING:
    from keras_fasterseg.spaces.base import SearchSpace
    from keras_fasterseg.spaces.genotype import Genotype

_BUILT_IN = {
    "fasterseg": ("keras_fasterseg.spaces.fasterseg", "FasterSeg"),
}
"""By name of a space its package, whose modules `settings` and `space` have the classes `XSettings`
and `XSpace`, and what stands for X. Settings are imported without Keras, for the flags."""

_REGISTERED: dict[str, type["SearchSpace"]] = {}

_STAGES = ("latency", "pretrain", "search", "teacher", "student", "benchmark")

DEFAULT = "fasterseg"


def space_names() -> tuple[str, ...]:
    """The names of all search spaces, the default first."""
    return tuple(dict.fromkeys((*_BUILT_IN, *_REGISTERED)))


def register_space(space: type["SearchSpace"]) -> None:
    """Makes a subclass of `SearchSpace` from outside this package known.

    Raises:
        ValueError: Another space has its name, or flags of a stage begin with it.
    """
    if space.name in _STAGES:
        raise ValueError(f"{space.name!r} begins flags of a stage; choose another name.")
    if space.name in _BUILT_IN or _REGISTERED.setdefault(space.name, space) is not space:
        raise ValueError(f"There is another search space {space.name!r}; choose another name.")


def settings_class(name: str) -> type:
    """The class of a space's settings; imports no Keras for those of this package."""
    if name in _BUILT_IN:
        return _import(name, "settings", "Settings")
    return space_class(name).settings_class


def flag_prefix(name: str) -> str:
    """Begins the flags of a space's settings: nothing for the default one, else its name."""
    return "" if name == DEFAULT else f"{name}_"


def space_class(name: str) -> type["SearchSpace"]:
    """The subclass of `SearchSpace` of that name.

    Raises:
        ValueError: There is none.
    """
    if isinstance(name, str) and name in _BUILT_IN:
        return _import(name, "space", "Space")
    if not isinstance(name, str) or name not in _REGISTERED:
        raise ValueError(
            f"There is no search space {shown(name)}; choose one of {', '.join(space_names())}."
        )
    return _REGISTERED[name]


def make_space(name: str = DEFAULT, settings: Any = None) -> "SearchSpace":
    """A search space with `settings`, or with the defaults."""
    return space_class(name)(settings)


def space_of(genotype: "Genotype") -> "SearchSpace":
    """The search space of a genotype, with its default settings."""
    return make_space(genotype.space)


def genotype_from_json(value: Any) -> "Genotype":
    """The genotype in a JSON object, of whatever space.

    Raises:
        ValueError: The object is no valid genotype, or of an unknown space.
    """
    name = value.get("space", DEFAULT) if isinstance(value, dict) else DEFAULT
    return space_class(name).genotype.from_json(value)


def load_genotype(path: PathLike) -> "Genotype":
    """The genotype in the JSON file at `path`, of whatever space.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not JSON or not a valid genotype; the message names it.
    """
    value = read_json(path)
    try:
        return genotype_from_json(value)
    except ValueError as error:
        raise ValueError(f"{path} holds no valid genotype: {error}") from error


def preset_files() -> dict[str, pathlib.Path]:
    """Files of the published genotypes of all spaces, by name, sorted."""
    presets = [item for name in space_names() for item in space_class(name).presets().items()]
    return dict(sorted(presets))


def preset_names() -> tuple[str, ...]:
    """The names of the published genotypes, sorted."""
    return tuple(preset_files())


def load_preset(name: str) -> "Genotype":
    """The published genotype of that name.

    Raises:
        ValueError: There is none; the message lists those there are.
    """
    presets = preset_files()
    if name not in presets:
        raise ValueError(f"There is no preset {name!r}; choose one of {', '.join(presets)}.")
    return load_genotype(presets[name])


def resolve_genotype(name: str) -> "Genotype":
    """The genotype of a preset's name or of a JSON file, the preset first.

    Raises:
        FileNotFoundError: `name` is neither.
        ValueError: The file holds no valid genotype, or one of an unknown search space.
    """
    presets = preset_files()
    if name in presets:
        return load_genotype(presets[name])
    path = pathlib.Path(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"{name!r} is neither a preset ({', '.join(presets)}) nor a genotype's file."
        )
    return load_genotype(path)


def _import(name: str, module: str, suffix: str) -> type:
    package, prefix = _BUILT_IN[name]
    return getattr(importlib.import_module(f"{package}.{module}"), prefix + suffix)
