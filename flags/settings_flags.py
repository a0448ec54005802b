"""Conversion between the fields of settings dataclasses and absl flags."""

import dataclasses
import math
import re
import types
import typing
from typing import TYPE_CHECKING, Any, TypeVar

from absl import flags

from keras_fasterseg.setting import check_settings
from keras_fasterseg.settings import search, stages, training
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.spaces import registry

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


RUN_STAGES = {
    "data": (stages.DataSettings, ""),
    "latency": (stages.LatencySettings, ""),
    "pretrain": (search.PretrainSettings, "pretrain_"),
    "search": (search.SearchSettings, "search_"),
    "teacher": (training.TrainSettings, "teacher_"),
    "student": (training.TrainSettings, "student_"),
    "benchmark": (stages.BenchmarkSettings, "benchmark_"),
}
"""Settings class and flag prefix of every stage of a run, by name."""

SPACE_GROUP = "search space "
"""Prefix of the heading of a search space's flags in `--help`."""


class _EstimateParser(flags.EnumParser):
    """Parses a kind of estimate. `--estimate` alone is `quick`, `--noestimate` is `none`."""

    def parse(self, argument: Any) -> str:
        words: dict[str, Any] = {"true": stages.QUICK_ESTIMATE, "false": stages.NO_ESTIMATE}
        return super().parse(words.get(str(argument).lower(), argument))


class _EstimateFlag(flags.Flag):
    """Accepts the forms of a boolean flag, but is serialised with its value."""

    def _serialize(self, value: str | None) -> str:
        return "" if value is None else f"--{self.name}={value}"


class SizeParser(flags.ArgumentParser):
    """Parses `1024x2048`, height first, to `(1024, 2048)`."""

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


class _DevicesParser(flags.ArgumentParser):
    """Parses `auto`, `workers` if allowed, or a positive number."""

    def __init__(self, workers: bool):
        self.words = ("auto", "workers") if workers else ("auto",)

    def parse(self, argument: Any) -> "int | str":
        text = str(argument)
        if text in self.words:
            return text
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"expected {', '.join(self.words)} or a number, received {text!r}")
        return int(text)

    def flag_type(self) -> str:
        return "devices"


class _NumbersParser(flags.ArgumentParser):
    """Parses `4/12,8/12,1` to floats. Fractions avoid rounded decimals."""

    def parse(self, argument: Any) -> tuple[float, ...]:
        if isinstance(argument, tuple):
            return argument
        return tuple(_number(text) for text in str(argument).split(","))

    def flag_type(self) -> str:
        return "comma separated numbers or fractions"


class _IntegersParser(flags.ArgumentParser):
    """Parses `1,2,4` to integers."""

    def parse(self, argument: Any) -> tuple[int, ...]:
        if isinstance(argument, tuple):
            return argument
        try:
            return tuple(int(text) for text in str(argument).split(","))
        except ValueError:
            raise ValueError(f"expected integers such as 1,2,4, received {argument!r}") from None

    def flag_type(self) -> str:
        return "comma separated integers"


class _NumberSerializer(flags.ArgumentSerializer):
    def serialize(self, value: float) -> str:
        return repr(value)


class _NumbersSerializer(flags.ArgumentSerializer):
    def serialize(self, value: tuple[float, ...]) -> str:
        return ",".join(repr(number) for number in value)


class _NumberParser(flags.ArgumentParser):
    """Parses a number or a fraction such as `8/12`."""

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
        prefix: Prefix of the flags: `pretrain_` gives `--pretrain_epochs`.
        values: The flags to add them to.
        group: Heading of the flags in `--help`. None lists them with the flags of this module.
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
        elif kind == tuple[int, ...]:
            flags.DEFINE(_IntegersParser(), *arguments, serializer=_NumbersSerializer(), **where)
        else:
            raise TypeError(
                f"No kind of flag is known for {settings.__name__}.{field.name}: {kind}"
            )


def define_space(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines `--space`, and the settings of every search space as a group of `--help`."""
    flags.DEFINE_enum(
        "space",
        registry.DEFAULT,
        list(registry.space_names()),
        "Search space; its settings are listed at the end, under its name.",
        flag_values=values,
    )
    for name in registry.space_names():
        settings = registry.settings_class(name)
        define_settings(settings, registry.flag_prefix(name), values, SPACE_GROUP + name)


def read_space(values: flags.FlagValues = flags.FLAGS) -> Any:
    """Returns the `SearchSpace` that the parsed flags describe.

    Raises:
        ValueError: A setting is outside its limits; the message names the flag.
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
    """Defines `--seed`, within the range that all generators accept."""
    return flags.DEFINE_integer(
        "seed",
        0,
        "Seed of all random numbers.",
        lower_bound=0,
        upper_bound=2**32 - 1,
        flag_values=values,
    )


def define_devices(
    workers: bool = True, values: flags.FlagValues = flags.FLAGS
) -> flags.FlagHolder:
    """Defines `--devices`, for `use_devices`; `workers` says whether it accepts workers."""
    more = "; workers: the processes that the environment variable TF_CONFIG lists" * workers
    return flags.DEFINE(
        _DevicesParser(workers),
        "devices",
        "auto",
        "Devices that share every batch, in equal parts. A number: so many of this machine; auto: "
        f"on JAX all, on TensorFlow one{more}. See docs/distributed.md.",
        flag_values=values,
        serializer=flags.ArgumentSerializer(),
    )


def use_devices(devices: "int | str") -> None:
    """Trains on the devices of `--devices`. Call it before Keras computes anything.

    Raises:
        ValueError: There are fewer devices, the backend cannot do so, or TF_CONFIG is wrong.
    """
    # The import takes seconds.
    if devices != "auto":
        from keras_fasterseg.run.local_devices import choose_devices

        choose_devices(devices)


def define_estimate(values: flags.FlagValues = flags.FLAGS) -> flags.FlagHolder:
    """Defines `--estimate`, which also accepts the forms of a boolean flag."""
    flag = _EstimateFlag(
        _EstimateParser(stages.ESTIMATES),
        flags.ArgumentSerializer(),
        "estimate",
        stages.QUICK_ESTIMATE,
        "Estimate of the run's time, memory and disk before it starts: quick (takes seconds: "
        "computed from this machine's measured speed), measured (takes minutes: runs a few steps "
        "of every stage) or none. --noestimate is --estimate=none.",
        boolean=True,
    )
    return flags.DEFINE_flag(flag, flag_values=values)


def define_class_order(values: flags.FlagValues = flags.FLAGS) -> flags.FlagHolder:
    """Defines `--class_order` alone, with the help of the data settings."""
    (field,) = (each for each in dataclasses.fields(DataSettings) if each.name == "class_order")
    return flags.DEFINE_string(
        field.name, DataSettings.class_order, field.metadata["description"], flag_values=values
    )


def run_flags() -> frozenset[str]:
    """Names of all flags of a run, except `workdir`."""
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
    others = ("seed", "devices", "space", "compare", "estimate", "force", "estimate_seconds")
    return frozenset((*names, *spaces, *others))


def read_settings(
    settings: type[Settings], prefix: str = "", values: flags.FlagValues = flags.FLAGS
) -> Settings:
    """Returns the dataclass that the parsed flags describe.

    Raises:
        ValueError: A value is outside its limits; the message names the flag.
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
