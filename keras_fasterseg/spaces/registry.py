"""Registry of search spaces, and loading of their genotypes."""

import importlib
import pathlib
from typing import TYPE_CHECKING, Any

from keras_fasterseg.files import PathLike, read_json, shown

if TYPE_CHECKING:
    from keras_fasterseg.spaces.base import SearchSpace
    from keras_fasterseg.spaces.genotype import Genotype

_BUILT_IN = {
    "fasterseg": ("keras_fasterseg.spaces.fasterseg", "FasterSeg"),
    "joint": ("keras_fasterseg.spaces.joint", "Joint"),
    "gas": ("keras_fasterseg.spaces.gas", "Gas"),
    "autortnet": ("keras_fasterseg.spaces.autortnet", "AutoRTNet"),
}
"""Package and class prefix X of each built-in search space, by name. The package's modules
`settings` and `space` define the classes `XSettings` and `XSpace`. Settings are imported without
Keras, for the flags."""

_REGISTERED: dict[str, type["SearchSpace"]] = {}

_STAGES = ("latency", "pretrain", "search", "teacher", "student", "benchmark")

DEFAULT = "fasterseg"


def space_names() -> tuple[str, ...]:
    """Names of all search spaces, the default first."""
    return tuple(dict.fromkeys((*_BUILT_IN, *_REGISTERED)))


def register_space(space: type["SearchSpace"]) -> None:
    """Registers a subclass of `SearchSpace` from outside this package.

    Raises:
        ValueError: Another search space has this name, or it is the name of a stage, which is the
            prefix of that stage's flags.
    """
    if space.name in _STAGES:
        raise ValueError(
            f"A search space cannot be named {space.name!r}: that is the prefix of a stage's "
            "flags. Choose another name."
        )
    if space.name in _BUILT_IN or _REGISTERED.setdefault(space.name, space) is not space:
        raise ValueError(
            f"Another search space is already named {space.name!r}; choose another name."
        )


def settings_class(name: str) -> type:
    """Settings class of a search space; for built-in spaces, Keras is not imported."""
    if name in _BUILT_IN:
        return _import(name, "settings", "Settings")
    return space_class(name).settings_class


def flag_prefix(name: str) -> str:
    """Prefix of the flags of a search space: empty for the default one, else `NAME_`."""
    return "" if name == DEFAULT else f"{name}_"


def space_class(name: str) -> type["SearchSpace"]:
    """Subclass of `SearchSpace` with this name.

    Raises:
        ValueError: No search space has this name.
    """
    if isinstance(name, str) and name in _BUILT_IN:
        return _import(name, "space", "Space")
    if not isinstance(name, str) or name not in _REGISTERED:
        raise ValueError(
            f"Unknown search space {shown(name)}; choose one of {', '.join(space_names())}."
        )
    return _REGISTERED[name]


def make_space(name: str = DEFAULT, settings: Any = None) -> "SearchSpace":
    """Makes a search space with `settings`, or with the default settings."""
    return space_class(name)(settings)


def space_of(genotype: "Genotype") -> "SearchSpace":
    """Search space of a genotype, with default settings."""
    return make_space(genotype.space)


def genotype_from_json(value: Any) -> "Genotype":
    """Returns the genotype from a JSON object, for any search space.

    Raises:
        ValueError: The object is not a valid genotype, or its search space is unknown.
    """
    name = value.get("space", DEFAULT) if isinstance(value, dict) else DEFAULT
    return space_class(name).genotype.from_json(value)


def load_genotype(path: PathLike) -> "Genotype":
    """Reads a genotype of any search space from the JSON file at `path`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not JSON or not a valid genotype; the message names it.
    """
    value = read_json(path)
    try:
        return genotype_from_json(value)
    except ValueError as error:
        raise ValueError(f"{path} is not a valid genotype: {error}") from error


def preset_files() -> dict[str, pathlib.Path]:
    """Files of the published genotypes of all search spaces, by name, sorted."""
    presets = [item for name in space_names() for item in space_class(name).presets().items()]
    return dict(sorted(presets))


def preset_names() -> tuple[str, ...]:
    """Names of the published genotypes, sorted."""
    return tuple(preset_files())


def load_preset(name: str) -> "Genotype":
    """Loads the published genotype with this name.

    Raises:
        ValueError: No preset has this name; the message lists the presets.
    """
    presets = preset_files()
    if name not in presets:
        raise ValueError(f"Unknown preset {name!r}; choose one of {', '.join(presets)}.")
    return load_genotype(presets[name])


def resolve_genotype(name: str) -> "Genotype":
    """Loads a genotype by preset name or by path of a JSON file; presets have priority.

    Raises:
        FileNotFoundError: `name` is neither a preset nor a file.
        ValueError: The file is not a valid genotype, or its search space is unknown.
    """
    presets = preset_files()
    if name in presets:
        return load_genotype(presets[name])
    path = pathlib.Path(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"{name!r} is neither a preset ({', '.join(presets)}) nor a genotype file."
        )
    return load_genotype(path)


def _import(name: str, module: str, suffix: str) -> type:
    package, prefix = _BUILT_IN[name]
    return getattr(importlib.import_module(f"{package}.{module}"), prefix + suffix)
