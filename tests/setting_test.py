"""Limits of settings."""

import pytest

from keras_fasterseg.setting import AT_LEAST_ZERO, SHARE, TRAINED_SIZE, Limits, check_settings
from keras_fasterseg.settings import stages
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings


@pytest.mark.parametrize(
    ("limits", "allowed", "refused"),
    [
        (AT_LEAST_ZERO, (0, 3, None), (-1, -0.5)),
        (SHARE, (0, 0.999), (1, -0.1)),
        (Limits(above=0), (1e-9,), (0, (1.0, 0.0))),
        (Limits(at_least=1, at_most=9), (1, 9), (0, 10, 10**400)),
        (TRAINED_SIZE, ((64, 96),), ((32, 64), (64, 65), (0, 0))),
        (Limits(choices=("a", "b")), ("a",), ("c", "")),
    ],
)
def test_values(limits, allowed, refused):
    assert all(limits.allow(value) for value in allowed)
    assert not any(limits.allow(value) for value in refused)


def test_words():
    assert str(SHARE) == "at least 0 and below 1"
    assert str(TRAINED_SIZE) == "at least 64 and a multiple of 32"
    assert str(Limits(choices=("a", "b"))) == "one of a, b"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (stages.TrainSettings(epochs=0), "--x_epochs must be at least 1. Received: --x_epochs=0"),
        (
            stages.SearchSettings(crop_size=(100, 64)),
            "Each side of --x_crop_size must be at least 64 and a multiple of 32. "
            "Received: --x_crop_size=100x64",
        ),
        (
            FasterSegSettings(width_multipliers=(1.0, 0.5)),
            "--x_width_multipliers must be ascending",
        ),
        (FasterSegSettings(student_width=0.4), "--x_student_width must be one of"),
    ],
)
def test_sentences(value, message):
    with pytest.raises(ValueError, match=message.partition("(")[0].replace(".", r"\.")):
        check_settings(value, "--x_")


@pytest.mark.parametrize(
    "kind",
    [
        stages.DataSettings,
        FasterSegSettings,
        stages.LatencySettings,
        stages.PretrainSettings,
        stages.SearchSettings,
        stages.TrainSettings,
        stages.BenchmarkSettings,
    ],
)
def test_defaults_are_allowed(kind):
    check_settings(kind())
