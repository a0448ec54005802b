"""Flags made of settings dataclasses."""

import dataclasses

import pytest
from absl import flags

from flags import settings_flags
from keras_fasterseg.setting import setting
from keras_fasterseg.settings import stages
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.joint.settings import JointSettings

JOBS = (
    stages.DataSettings,
    FasterSegSettings,
    JointSettings,
    stages.LatencySettings,
    stages.PretrainSettings,
    stages.SearchSettings,
    stages.TrainSettings,
    stages.BenchmarkSettings,
)


@dataclasses.dataclass(frozen=True)
class Options:
    """One field of every kind."""

    size: tuple[int, int] = setting((512, 1024), "A size.")
    width: float = setting(8 / 12, "A width.")
    widths: tuple[float, ...] = setting((0.5, 1.0), "Some widths.")
    counts: tuple[int, ...] = setting((1, 2), "Some integers.")
    steps: int | None = setting(None, "A number, or none.")
    folder: str | None = setting(None, "A folder, or none.")
    other_size: tuple[int, int] | None = setting(None, "A size, or none.")
    cache: bool = setting(False, "A switch.")


def parse(*arguments, kind=Options, prefix=""):
    values = flags.FlagValues()
    settings_flags.define_settings(kind, prefix, values)
    values(["tool", *arguments])
    return settings_flags.read_settings(kind, prefix, values)


@pytest.mark.parametrize("kind", [Options, *JOBS])
def test_without_arguments_the_defaults_stand(kind):
    assert parse(kind=kind, prefix="some_") == kind()


@pytest.mark.parametrize("kind", JOBS)
def test_every_field_is_a_flag_with_its_description(kind):
    values = flags.FlagValues()
    settings_flags.define_settings(kind, "some_", values)
    descriptions = {
        f"some_{field.name}": field.metadata["description"] for field in dataclasses.fields(kind)
    }
    assert {name: values[name].help for name in values} == descriptions
    assert all(descriptions.values())


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--size=128x256", Options(size=(128, 256))),
        ("--other_size=32x64", Options(other_size=(32, 64))),
        ("--width=4/12", Options(width=4 / 12)),
        ("--width=.25", Options(width=0.25)),
        ("--widths=4/12, 8/12,1", Options(widths=(4 / 12, 8 / 12, 1.0))),
        ("--widths=1", Options(widths=(1.0,))),
        ("--counts=4, 8", Options(counts=(4, 8))),
        ("--counts=16", Options(counts=(16,))),
        ("--steps=7", Options(steps=7)),
        ("--folder=there", Options(folder="there")),
        ("--cache", Options(cache=True)),
        ("--nocache", Options(cache=False)),
    ],
)
def test_what_is_written_is_what_is_read(argument, expected):
    assert parse(argument) == expected


def test_a_prefix_belongs_to_the_flag_alone():
    assert parse("--train_steps=3", prefix="train_") == Options(steps=3)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--size=512", "expected HEIGHTxWIDTH such as 512x1024, received '512'"),
        ("--size=512x-3", "received '512x-3'"),
        ("--size=1x2x3", "received '1x2x3'"),
        ("--width=wide", "expected a number or a fraction, received 'wide'"),
        ("--width=1/0", "received '1/0'"),
        ("--width=nan", "received 'nan'"),
        ("--width=inf", "received 'inf'"),
        ("--widths=1,,2", "received ''"),
        ("--counts=1,.5", "expected integers such as 1,2,4, received '1,.5'"),
        ("--steps=1.5", "steps"),
        ("--cache=perhaps", "cache"),
        ("--sizes=1x2", "Unknown command line flag 'sizes'"),
    ],
)
def test_a_wrong_value_is_said(argument, message):
    with pytest.raises(flags.Error, match=message):
        parse(argument)


def test_a_kind_without_a_flag_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Unknown:
        table: dict[str, int] = setting(None, "No flag has this form.")

    with pytest.raises(
        TypeError, match=r"No kind of flag is known for Unknown.table: dict\[str, int\]"
    ):
        parse(kind=Unknown)


@pytest.mark.parametrize("kind", [Options, *JOBS])
def test_the_defaults_survive_a_flagfile(kind, tmp_path):
    assert parse(f"--flagfile={flagfile(tmp_path, kind)}", kind=kind) == kind()


def test_other_values_survive_a_flagfile(tmp_path):
    arguments = (
        "--size=96x160",
        "--width=1/3",
        "--widths=1/3,.7",
        "--counts=3,5",
        "--steps=5",
        "--cache",
    )
    arguments += ("--cache", "--folder=with space", "--other_size=32x32")
    path = flagfile(tmp_path, Options, *arguments)
    assert parse(f"--flagfile={path}") == Options(
        size=(96, 160),
        width=1 / 3,
        widths=(1 / 3, 0.7),
        counts=(3, 5),
        steps=5,
        cache=True,
        folder="with space",
        other_size=(32, 32),
    )


def flagfile(folder, kind, *arguments):
    """A file that holds the flags of `kind` as absl writes them."""
    values = flags.FlagValues()
    settings_flags.define_settings(kind, values=values)
    values(["tool", *arguments])
    path = folder / "settings.flags"
    path.write_text(values.flags_into_string(), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "quick"),
        (["--estimate"], "quick"),
        (["--noestimate"], "none"),
        (["--estimate=true"], "quick"),
        (["--estimate=measured"], "measured"),
        (["--estimate=none"], "none"),
    ],
)
def test_an_estimate_has_ways_and_the_forms_of_a_switch(arguments, expected):
    values = flags.FlagValues()
    flag = settings_flags.define_estimate(values)
    values(["tool", *arguments])
    assert flag.value == expected
    written = values.flags_into_string()
    again = flags.FlagValues()
    flag = settings_flags.define_estimate(again)
    again(["tool", *written.split()])
    assert flag.value == expected


def test_an_unknown_way_to_estimate_is_refused():
    values = flags.FlagValues()
    settings_flags.define_estimate(values)
    with pytest.raises(flags.IllegalFlagValueError, match=r"one of <quick\|measured\|none>"):
        values(["tool", "--estimate=fast"])


@pytest.mark.parametrize(
    ("workers", "text", "value"),
    [(True, "auto", "auto"), (True, "workers", "workers"), (False, "2", 2), (True, "16", 16)],
)
def test_devices(workers, text, value):
    values = flags.FlagValues()
    settings_flags.define_devices(workers, values)
    values(["program", f"--devices={text}"])
    assert values.devices == value


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "all", "", "workers"])
def test_wrong_devices(text):
    values = flags.FlagValues()
    settings_flags.define_devices(False, values)
    with pytest.raises(flags.IllegalFlagValueError, match="expected auto or a number, received"):
        values(["program", f"--devices={text}"])
