from fractions import Fraction

import pytest

from keras_fasterseg.inference.frame_clock import FrameClock

TS = Fraction(1, 90000)


def times(stamps, rate=Fraction(25), time_base=TS, **options):
    """The times in frames, and the jumps."""
    clock = FrameClock(rate, time_base, **options)
    received = [clock.time(stamp) * time_base * rate for stamp in stamps]
    assert clock.end * time_base * rate == received[-1] + 1
    return received, clock.jumps


@pytest.mark.parametrize(
    ("stamps", "expected", "jumps"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3], 0),
        # The first frame is shown at once, and pauses stay as they are.
        ([7, 8, 11, 12], [0, 1, 4, 5], 0),
        ([-2, -1, 0], [0, 1, 2], 0),
        # Joined streams.
        ([2, 3, 4, 2, 3, 4], [0, 1, 2, 3, 4, 5], 1),
        ([5, 6, 0, 1, 3, 0, 1], [0, 1, 2, 3, 5, 6, 7], 2),
        # Frames without a time stamp follow the last.
        ([None, None, None], [0, 1, 2], 0),
        ([3, None, 5, None, 0, 1], [0, 1, 2, 3, 4, 5], 1),
        # An hour ahead: a pause of a file, a jump of a stream.
        ([0, 1, 90000, 90001], [0, 1, 90000, 90001], 0),
    ],
)
def test_times_advance(stamps, expected, jumps):
    given = [None if stamp is None else 3600 * stamp for stamp in stamps]
    assert times(given) == (expected, jumps)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([0, 33, 33, 67, 100], [0, 33, 34, 67, 100]),
        ([0, 33, 33, 33, 67, 100], [0, 33, 34, 35, 67, 100]),
        ([0, 33, 33, 34, 67, 100], [0, 33, 34, 35, 67, 100]),
        # Back by less than a frame.
        ([0, 33, 67, 50, 100, 133], [0, 33, 67, 68, 100, 133]),
        ([10, 43, 11, 77], [0, 33, 34, 67]),
    ],
)
def test_a_repeated_stamp_does_not_move_the_others(stamps, expected):
    clock = FrameClock(Fraction(30), Fraction(1, 1000))
    assert [clock.time(stamp) for stamp in stamps] == expected
    assert clock.jumps == 0


def test_back_by_a_frame_is_a_jump():
    assert times([0, 3600, 0, 3600]) == ([0, 1, 2, 3], 1)


def test_stamps_that_do_not_advance():
    received, jumps = times([14400] * 14)
    unit = Fraction(1, 3600)
    repeats = [number * unit for number in range(11)]
    assert received == [*repeats, *(repeats[-1] + frame for frame in (1, 2, 3))]
    assert jumps == 3


def test_a_stream_may_jump_ahead():
    stamps = [3600 * stamp for stamp in (0, 1, 90000, 90001, 90001 + 250, 90001 + 501)]
    assert times(stamps, may_jump=True) == ([0, 1, 2, 3, 253, 254], 2)


def test_times_are_rounded_without_drift():
    """30000/1001 frames a second in milliseconds: 33.3667 of them a frame."""
    clock = FrameClock(Fraction(30000, 1001), Fraction(1, 1000))
    received = [clock.time(None) for _ in range(1000)]
    assert received == [round(Fraction(1001, 30) * number) for number in range(1000)]


def test_no_two_frames_have_one_time_where_units_are_longer_than_frames():
    clock = FrameClock(Fraction(100), Fraction(1, 25))
    assert [clock.time(stamp) for stamp in (None, None, 2, None, 0)] == [0, 1, 2, 3, 4]
