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
        # Time stamps that do not advance.
        ([4, 4, 4, 4], [0, 1, 2, 3], 3),
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
