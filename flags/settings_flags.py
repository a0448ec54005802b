"""absl flags made of the fields of settings dataclasses, and back."""

import dataclasses
import math
import re
import types
import typing
from typing import TYPE_CHECKING, Any, TypeVar

from absl import flags

from keras_fasterseg.setting import check_settings
from keras_fasterseg.settings import stages
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.spaces import registry

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


RUN_STAGES = {
    "data": (stages.DataSettings, ""),
    "latency": (stages.LatencySettings, ""),
    "pretrain": (stages.PretrainSettings, "pretrain_"),
    "search": (stages.SearchSettings, "search_"),
    "teacher": (stages.TrainSettings, "teacher_"),
    "student": (stages.TrainSettings, "student_"),
    "benchmark": (stages.BenchmarkSettings, "benchmark_"),
}
"""By name of a stage of a whole run, its settings and what its flags begin with."""

SPACE_GROUP = "search space "
"""Begins the heading of a space's flags in `--help`."""


class _EstimateParser(flags.EnumParser):
    """A way to estimate; `--estimate` and `--noestimate` alone are the quick one and none."""

    def parse(self, argument: Any) -> str:
        words: dict[str, Any] = {"true": stages.QUICK_ESTIMATE, "false": stages.NO_ESTIMATE}
        return super().parse(words.get(str(argument).lower(), argument))


class _EstimateFlag(flags.Flag):
    """Has the forms of a boolean flag, but is written with its way."""

    def _serialize(self, value: str | None) -> str:
        return "" if value is None else f"--{self.name}={value}"


class SizeParser(flags.ArgumentParser):
    """`1024x2048`, height first, to `(1024, 2048)`."""

    syntactic_help = "HEIGHTxWIDTH"

    def parse(self, argument: Any) -> tuple[int, int]:
        if isinstance(argument, tuple):
            return argument
        match = re.fullmatch(r"(\d+)x(\d+)", str(argument).strip())
        if not match:
            raise ValueError(f"expected HEIGHTxWIDTH such as 512x1024, received {argument!r}")
        return int(match[1]), int(match[2])

    def flag_type(self) -> str:
        return "height x width"


class _SizeSerializer(flags.ArgumentSerializer):
    def serialize(self, value: tuple[int, int]) -> str:
        return f"{value[0]}x{value[1]}"


class _NumbersParser(flags.ArgumentParser):
    """`4/12,8/12,1` to floats; a fraction keeps what a rounded decimal would lose."""

    def parse(self, argument: Any) -> tuple[float, ...]:
        if isinstance(argument, tuple):
            return argument
        return tuple(_number(text) for text in str(argument).split(","))

    def flag_type(self) -> str:
        return "comma separated numbers or fractions"


class _NumberSerializer(flags.ArgumentSerializer):
    def serialize(self, value: float) -> str:
        return repr(value)


class _NumbersSerializer(flags.ArgumentSerializer):
    def serialize(self, value: tuple[float, ...]) -> str:
        return ",".join(repr(number) for number in value)


class _NumberParser(flags.ArgumentParser):
    """A number or a fraction such as `8/12`."""

    def parse(self, argument: Any) -> float:
        return float(argument) if isinstance(argument, int | float) else _number(argument)

    def flag_type(self) -> str:
        return "number or fraction"


def define_settings(
    settings: type,
    prefix: str = "",
    values: flags.FlagValues = flags.FLAGS,
    group: str | None = None,
) -> None:
    """Defines one flag for every field of a settings dataclass.

    Args:
        settings: The dataclass; its fields are made by `setting`.
        prefix: Put before the field's name: `pretrain_` makes `--pretrain_epochs`.
        values: Where to define them.
        group: Heading of the flags in `--help`; None lists them with those of this module.
    """
    heading = {} if group is None else {"module_name": group}
    where: dict[str, Any] = {"flag_values": values, **heading}
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):
        name, kind = prefix + field.name, _without_none(hints[field.name])
        description = field.metadata["description"]
        arguments: tuple[str, Any, str] = (name, field.default, description)
        if kind is bool:
            flags.DEFINE_bool(*arguments, **where)
        elif kind is int:
            flags.DEFINE_integer(*arguments, **where)
        elif kind is str:
            flags.DEFINE_string(*arguments, **where)
        elif kind is float:
            flags.DEFINE(_NumberParser(), *arguments, serializer=_NumberSerializer(), **where)
        elif kind == tuple[int, int]:
            flags.DEFINE(SizeParser(), *arguments, serializer=_SizeSerializer(), **where)
        elif kind == tuple[float, ...]:
            flags.DEFINE(_NumbersParser(), *arguments, serializer=_NumbersSerializer(), **where)
        else:
            raise TypeError(f"No flag is known for {settings.__name__}.{field.name}: {kind}")


def define_space(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines `--space` and the settings of every search space, each a group in `--help`."""
    flags.DEFINE_enum(
        "space",
        registry.DEFAULT,
        list(registry.space_names()),
        "Search space; the settings of each are below, under its name.",
        flag_values=values,
    )
    for name in registry.space_names():
        settings = registry.settings_class(name)
        define_settings(settings, registry.flag_prefix(name), values, SPACE_GROUP + name)


def read_space(values: flags.FlagValues = flags.FLAGS) -> Any:
    """The `SearchSpace` that the parsed flags describe.

    Raises:
        ValueError: A setting is out of its limits; the message names the flag.
    """
    name = str(values["space"].value)
    settings = read_settings(registry.settings_class(name), registry.flag_prefix(name), values)
    return registry.make_space(name, settings)


def define_size(
    name: str,
    default: tuple[int, int] | None,
    description: str,
    values: flags.FlagValues = flags.FLAGS,
) -> flags.FlagHolder:
    """Defines a flag of the form `1024x2048`, height first."""
    return flags.DEFINE(
        SizeParser(), name, default, description, flag_values=values, serializer=_SizeSerializer()
    )


def define_seed(values: flags.FlagValues = flags.FLAGS) -> flags.FlagHolder:
    """Defines `--seed`, within what all the generators take."""
    return flags.DEFINE_integer(
        "seed",
        0,
        "Seed of everything that is random.",
        lower_bound=0,
        upper_bound=2**32 - 1,
        flag_values=values,
    )


def define_estimate(values: flags.FlagValues = flags.FLAGS) -> flags.FlagHolder:
    """Defines `--estimate`, which also has the forms of a boolean flag."""
    flag = _EstimateFlag(
        _EstimateParser(stages.ESTIMATES),
        flags.ArgumentSerializer(),
        "estimate",
        stages.QUICK_ESTIMATE,
        "How time, memory and disk of the run are estimated first: quick (seconds: the work of "
        "every stage by this machine's measured rates), measured (minutes: a few steps of every "
        "stage) or none; --noestimate is --estimate=none.",
        boolean=True,
    )
    return flags.DEFINE_flag(flag, flag_values=values)


def define_class_order(values: flags.FlagValues = flags.FLAGS) -> flags.FlagHolder:
    """Defines `--class_order`, as a run's data settings do."""
    (field,) = (each for each in dataclasses.fields(DataSettings) if each.name == "class_order")
    return flags.DEFINE_string(
        field.name, DataSettings.class_order, field.metadata["description"], flag_values=values
    )


def run_flags() -> frozenset[str]:
    """Names of the flags of a whole run, but for its workdir."""
    names = (
        prefix + field.name
        for kind, prefix in RUN_STAGES.values()
        for field in dataclasses.fields(kind)
    )
    spaces = (
        registry.flag_prefix(name) + field.name
        for name in registry.space_names()
        for field in dataclasses.fields(registry.settings_class(name))
    )
    others = ("seed", "space", "compare", "estimate", "force", "estimate_seconds")
    return frozenset((*names, *spaces, *others))


def read_settings(
    settings: type[Settings], prefix: str = "", values: flags.FlagValues = flags.FLAGS
) -> Settings:
    """The dataclass that the parsed flags describe.

    Raises:
        ValueError: A value is out of its limits; the message names the flag.
    """
    names = [field.name for field in dataclasses.fields(settings)]
    result = settings(**{name: values[prefix + name].value for name in names})
    check_settings(result, f"--{prefix}")
    return result


def _without_none(kind: Any) -> Any:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        (kind,) = (part for part in typing.get_args(kind) if part is not type(None))
    return kind


def _number(text: str) -> float:
    numerator, slash, denominator = text.strip().partition("/")
    try:
        number = float(numerator) / float(denominator) if slash else float(numerator)
    except (ValueError, ZeroDivisionError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"expected a number or a fraction, received {text!r}")
    return number
