"""From measured steps to stages, by hand-computed values."""

import dataclasses
from typing import Any

import pytest

from keras_fasterseg.jobs.checks import DataFacts
from keras_fasterseg.jobs.estimation import stage_costs
from keras_fasterseg.jobs.estimation.estimate import ASSUMED, AT_MOST, MEASURED
from keras_fasterseg.jobs.estimation.measurement import Measurement
from keras_fasterseg.jobs.estimation.probe import ProbeFailure
from keras_fasterseg.jobs.estimation.stage_estimates import stage_estimates
from keras_fasterseg.jobs.measure_latency import measured_keys
from keras_fasterseg.run.run import STAGES
from keras_fasterseg.settings.stages import (
    BenchmarkSettings,
    DataSettings,
    LatencySettings,
    PretrainSettings,
    SearchSettings,
    TrainSettings,
)
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings

FACTS = DataFacts(("a", "b", "c"), train_images=21, val_images=5, size=(64, 64))
TRAIN = TrainSettings(
    epochs=2, steps_per_epoch=10, batch_size=1, crop_size=(64, 64), evaluate_every=1
)
STEP = Measurement(
    first_seconds=10.0, step_seconds=3.0, memory_bytes=1000, weight_bytes=100, slot_bytes=80
)
TRAININGS = ("pretrain", "search", "teacher", "student")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a small run."""

    data: DataSettings = DataSettings("camvid", "there")
    supernet: FasterSegSettings = FasterSegSettings(4, 2, (0.5, 1.0), 0.5)
    latency: LatencySettings = LatencySettings(latency_size=(64, 64))
    pretrain: PretrainSettings = PretrainSettings(epochs=2, batch_size=4)
    search: SearchSettings = SearchSettings(
        epochs=2, batch_size=3, crop_size=(64, 64), downsample=1, validation_images=4
    )
    teacher: TrainSettings = TRAIN
    student: TrainSettings = TRAIN
    benchmark: BenchmarkSettings = BenchmarkSettings((64, 64), 1, 10, 50, 3.0)


def stages(settings: Any = None, results: Any = None, **kwargs):
    """The stages by name; nothing of the run is finished and everything is measured."""
    options = {
        "unfinished": STAGES,
        "bases": (MEASURED, AT_MOST),
        "generates": True,
        "trained_bytes": {"teacher": 7, "student": 9},
        **kwargs,
    }
    results = dict.fromkeys(("latency", *TRAININGS), STEP) if results is None else results
    found = stage_estimates(settings or Settings(), FACTS, results, **options)
    return {stage.name: stage for stage in found}


def test_the_stages_come_in_the_order_of_the_run():
    assert tuple(stages()) == STAGES


def test_each_stage_says_what_it_rests_on():
    bases = {name: stage.basis for name, stage in stages().items()}
    assert bases == {
        "latency": MEASURED,
        "pretrain": MEASURED,
        "search": MEASURED,
        "teacher": AT_MOST,
        "student": AT_MOST,
        "export": ASSUMED,
        "benchmark": ASSUMED,
    }


def test_a_table_takes_the_time_of_its_rows():
    settings = Settings()
    rows = len(measured_keys(settings.supernet, (64, 64), 3))
    assert stages()["latency"].steps == rows
    assert stages()["latency"].seconds == pytest.approx(3.0 * rows)


def test_pretraining_takes_the_first_step_and_the_others():
    # 21 images make 5 batches of 4; two epochs.
    assert stages()["pretrain"].steps == 10
    images = 10 * stage_costs.input_seconds(Settings().pretrain, (64, 64))
    assert stages()["pretrain"].seconds == pytest.approx(10.0 + 9 * 3.0 + images)
    assert stages()["pretrain"].disk_bytes == 3 * 180 + 100 + stage_costs.LOG_BYTES


def test_a_search_works_on_halves_and_evaluates():
    # Ten images make 3 batches of 3; a pass forward of one image is 3 s / (3 * 6.4 * 3) = 1/19.2 s.
    search = stages()["search"]
    assert search.steps == 6
    images = 6 * stage_costs.input_seconds(Settings().search, (64, 64))
    assert search.seconds == pytest.approx(10.0 + 5 * 3.0 + images + 2 * 3 * 4 / 19.2 + 10)
    assert search.disk_bytes == 3 * 180 + stage_costs.LOG_BYTES


def test_a_training_evaluates_all_validation_images():
    # An image forward is a third of a step of one crop.
    teacher = stages()["teacher"]
    assert teacher.steps == 20
    images = 20 * stage_costs.input_seconds(TRAIN, (64, 64))
    assert teacher.seconds == pytest.approx(10.0 + 19 * 3.0 + images + 2 * 5 * 1.0)
    assert teacher.disk_bytes == 3 * 180 + 2 * 100 + stage_costs.LOG_BYTES


def test_a_gpu_does_not_wait_for_images():
    on_gpu = dataclasses.replace(STEP, gpu_bytes=5)
    results = dict.fromkeys(("latency", *TRAININGS), on_gpu)
    assert stages(results=results)["pretrain"].seconds == pytest.approx(10.0 + 9 * 3.0)


def test_export_and_benchmark_are_made_of_both_networks():
    assert stages()["export"].seconds == pytest.approx(2 * (7 + 5 * 1.0))
    assert stages()["export"].disk_bytes == 2 * (100 + stage_costs.GRAPH_BYTES)
    assert stages()["benchmark"].seconds == pytest.approx(2 * (7 + 10 * 1.0 + 50 * 1.0))


def test_what_is_finished_is_left_out():
    left = stages(results={"student": STEP}, unfinished=("student", "benchmark"))
    assert tuple(left) == ("student", "benchmark")


def test_a_trained_network_counts_with_its_file():
    left = stages(results={"student": STEP}, unfinished=("student", "export"))
    assert left["export"].disk_bytes == 7 + 100 + 2 * stage_costs.GRAPH_BYTES


def test_cached_images_take_memory():
    settings = Settings(data=DataSettings("camvid", "there", cache=True))
    memory = {name: stages(settings)[name].memory_bytes for name in TRAININGS}
    assert memory == dict.fromkeys(TRAININGS, 1000 + 21 * 64 * 64 * 4)


def test_generated_images_take_disk_once():
    data = DataSettings(synthetic_train_images=6, synthetic_val_images=4, synthetic_size=(64, 64))
    assert stages(Settings(data=data))["data"].disk_bytes == 10 * 64 * 64 * 2.5
    assert "data" not in stages(Settings(data=data), generates=False)
    assert "data" not in stages()


def test_a_stage_that_could_not_be_measured_says_why():
    failure = ProbeFailure("time", "slow")
    results = dict.fromkeys(("latency", *TRAININGS), failure)
    for name, stage in stages(results=results).items():
        expected = failure if name in ("latency", *TRAININGS) else None
        assert stage.failure == expected
        assert (stage.seconds is None) == (expected is not None)
