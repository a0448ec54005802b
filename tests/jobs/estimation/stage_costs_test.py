"""The arithmetic of an estimate, by hand-computed values."""

import pytest

from keras_fasterseg.available_cores import AvailableCores
from keras_fasterseg.jobs.estimation import stage_costs
from keras_fasterseg.settings.stages import (
    BenchmarkSettings,
    LatencySettings,
    PretrainSettings,
    SearchSettings,
    TrainSettings,
)


def test_steps_are_those_that_are_set_or_all_images_once():
    settings = PretrainSettings(epochs=3, batch_size=4, steps_per_epoch=None)
    assert stage_costs.training_steps(settings, num_images=10) == 3 * 2
    settings = TrainSettings(epochs=5, batch_size=4, steps_per_epoch=7)
    assert stage_costs.training_steps(settings, num_images=10) == 35


def test_the_paper_has_so_many_steps():
    # 2975 images, a half of them for the weights.
    assert stage_costs.training_steps(SearchSettings(), 2975 // 2) == 30 * 743
    assert stage_costs.training_steps(TrainSettings(), 2975) == 600_000


def test_the_first_step_has_a_time_of_its_own():
    assert stage_costs.training_seconds(20.0, 2.0, steps=11) == 20.0 + 10 * 2.0
    assert stage_costs.training_seconds(20.0, 2.0, steps=1) == 20.0
    assert stage_costs.training_seconds(20.0, 2.0, steps=0) == 0.0


def test_an_image_without_gradients_costs_a_third_of_its_pixels_share():
    settings = TrainSettings(batch_size=2, crop_size=(64, 64))
    # A step of 6 s is 3 s an image, 1 s of it forward; the image is four times a crop.
    assert stage_costs.forward_seconds(6.0, settings, (128, 128)) == pytest.approx(4.0)
    assert stage_costs.forward_seconds(6.0, settings, (64, 64), passes=8) == pytest.approx(1 / 8)


def test_a_search_is_evaluated_for_both_architectures_and_once_more_at_the_end():
    settings = SearchSettings(
        epochs=4, batch_size=1, crop_size=(64, 64), downsample=2, validation_images=10
    )
    # Half-size images of 128x128 are as large as a crop; a step of four settings, the second
    # pass of each 0.6 of the first, is 19.2 forward passes of it. Tracing takes 10 s.
    seconds = stage_costs.search_evaluation_seconds(19.2, settings, (128, 128), 100)
    assert seconds == pytest.approx(10 + 2 * 5 * 10 * 1.0)
    seconds = stage_costs.search_evaluation_seconds(19.2, settings, (128, 128), 3)
    assert seconds == pytest.approx(10 + 2 * 5 * 3 * 1.0)
    assert stage_costs.search_evaluation_seconds(19.2, settings, (128, 128), 0) == 0


@pytest.mark.parametrize(("every", "times"), [(1, 5), (2, 3), (5, 1), (10, 1)])
def test_a_training_is_evaluated_every_so_often_and_after_the_last_epoch(every, times):
    settings = TrainSettings(epochs=5, batch_size=1, crop_size=(64, 64), evaluate_every=every)
    seconds = stage_costs.training_evaluation_seconds(3.0, settings, (64, 64), num_val_images=7)
    assert seconds == pytest.approx(times * 7 * 1.0)


def test_export_and_benchmark_count_images():
    assert stage_costs.export_seconds(0.5, num_val_images=10) == pytest.approx(7 + 5)
    settings = BenchmarkSettings(batch_size=2, warmup=10, repetitions=50, seconds=3.0)
    # A call of two images takes .2 s: 10 s for 50 of them, longer than 3 s.
    assert stage_costs.benchmark_seconds(0.1, settings) == pytest.approx(7 + 2 + 10)
    assert stage_costs.benchmark_seconds(0.001, settings) == pytest.approx(7 + 0.02 + 3)


def test_a_table_has_rows_and_calibrating_networks():
    assert stage_costs.latency_seconds(0.5, 20, LatencySettings()) == 10
    assert stage_costs.latency_seconds(0.5, 20, LatencySettings(latency_calibration=8)) == 10 + 56


def test_threads_share_the_images_of_a_step(monkeypatch):
    monkeypatch.setattr(stage_costs, "available_cores", lambda: AvailableCores(8, 8, 4.0))
    # A million pixels take a tenth of a second, of which four threads make a fortieth.
    size = (1000, 1000)
    training = TrainSettings(batch_size=2, downsample=2)
    assert stage_costs.input_seconds(training, size) == pytest.approx(2 / 40)
    # The weights and the architectures have images of their own.
    assert stage_costs.input_seconds(SearchSettings(batch_size=2), size) == pytest.approx(4 / 40)


def test_disk_holds_three_checkpoints_at_a_time():
    logs = stage_costs.LOG_BYTES
    assert stage_costs.training_disk_bytes(100, 80, networks=2) == 3 * 180 + 2 * 100 + logs


def test_images_take_four_bytes_a_pixel_in_memory():
    assert stage_costs.cached_bytes(10, (4, 8)) == 1280
    assert stage_costs.generated_disk_bytes(10, (4, 8)) == 800
