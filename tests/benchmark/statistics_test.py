import pytest

from keras_fasterseg.benchmark.statistics import TimeStatistics, fps_text


def test_closed_form():
    # 0, 1, ..., 100 ms: percentile p lies at p, and a symmetric sample has one mean.
    statistics = TimeStatistics.from_seconds([0.001 * (100 - k) for k in range(101)])
    assert statistics.repetitions == 101
    assert statistics.p50_ms == pytest.approx(50.0)
    assert statistics.p90_ms == pytest.approx(90.0)
    assert statistics.p99_ms == pytest.approx(99.0)
    assert statistics.mean_ms == pytest.approx(50.0)
    assert statistics.trimmed_mean_ms == pytest.approx(50.0)


def test_outliers_move_the_mean_and_not_the_trimmed_mean():
    statistics = TimeStatistics.from_seconds([0.002] * 19 + [1.002])
    assert statistics.mean_ms == pytest.approx(52.0)
    assert statistics.trimmed_mean_ms == pytest.approx(2.0)
    assert statistics.p50_ms == pytest.approx(2.0)


def test_one_time_is_every_statistic():
    statistics = TimeStatistics.from_seconds([0.004])
    assert statistics == TimeStatistics(4.0, 4.0, 4.0, 4.0, 4.0, 1)


def test_no_time_is_refused():
    with pytest.raises(ValueError, match="No times"):
        TimeStatistics.from_seconds([])


@pytest.mark.parametrize(
    ("fps", "text"),
    [
        (1 / 21, "0.0476"),
        (0.5, "0.500"),
        (1.04, "1.0"),
        (10.0, "10.0"),
        (123.456, "123.5"),
        (1e4, "10000.0"),
        (2.3e-5, "0.0000230"),
    ],
)
def test_slow_frame_rates_keep_three_digits(fps, text):
    assert fps_text(fps) == text
