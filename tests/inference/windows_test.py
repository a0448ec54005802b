import itertools

import pytest

from keras_fasterseg.inference.windows import window_starts


@pytest.mark.parametrize(
    ("length", "window", "overlap", "expected"),
    [
        (10, 10, 0.5, [0]),
        (8, 10, 0.5, [0]),
        (20, 10, 0.0, [0, 10]),
        # Two windows would leave pixel 20 alone.
        (21, 10, 0.0, [0, 5, 11]),
        (20, 10, 0.5, [0, 5, 10]),
        # A stride of 6 (6.67 rounded down): two steps of 5.5 reach 11.
        (21, 10, 1 / 3, [0, 5, 11]),
        (3, 1, 0.9, [0, 1, 2]),
    ],
)
def test_hand_computed(length, window, overlap, expected):
    assert window_starts(length, window, overlap) == expected


@pytest.mark.parametrize("overlap", [0.0, 0.1, 1 / 3, 0.5, 0.75, 0.99])
def test_windows_cover_all_and_overlap_enough(overlap):
    for length in range(1, 70):
        for window in (1, 2, 7, 32):
            starts = window_starts(length, window, overlap)
            assert starts[0] == 0
            assert starts[-1] == max(0, length - window)
            for first, second in itertools.pairwise(starts):
                assert first < second
                assert first + window - second >= min(overlap * window, window - 1)


@pytest.mark.parametrize("arguments", [(0, 3, 0.5), (3, 0, 0.5), (3, 3, 1.0), (3, 3, -0.1)])
def test_what_is_no_window_is_refused(arguments):
    with pytest.raises(ValueError, match="Received: length="):
        window_starts(*arguments)
