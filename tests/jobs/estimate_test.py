"""From a step to a run: hand-computed times, what is left, and what is refused."""

import dataclasses

import keras
import pytest

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.files import read_json
from keras_fasterseg.jobs import estimate as job
from keras_fasterseg.jobs.estimate import ESTIMATE, check_fits, estimate_run
from keras_fasterseg.jobs.step_costs import MachineSpeed, StepCost
from keras_fasterseg.reports.estimate_table import (
    AT_MOST,
    COMPUTED,
    MEASURED,
    TYPICAL,
    Estimate,
    StageEstimate,
)
from keras_fasterseg.run.data_checks import DataFacts
from keras_fasterseg.run.workdir import Workdir
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.stages import (
    MEASURED_ESTIMATE,
    BenchmarkSettings,
    DataSettings,
    LatencySettings,
    RunSettings,
)
from keras_fasterseg.settings.training import TrainSettings
from tests.jobs.step_costs_test import SPACE, networks

GB = 10**9
FACTS = DataFacts(("a", "b", "c"), train_images=21, val_images=5, size=(64, 64))
TRAIN = TrainSettings(
    epochs=2, steps_per_epoch=10, batch_size=1, crop_size=(64, 64), evaluate_every=1
)
SETTINGS = RunSettings(
    data=DataSettings("camvid", "there"),
    space=SPACE,
    latency=LatencySettings(latency_size=(64, 64)),
    pretrain=PretrainSettings(epochs=2, batch_size=4),
    search=SearchSettings(
        epochs=2, batch_size=3, crop_size=(64, 64), downsample=1, validation_images=4
    ),
    teacher=TRAIN,
    student=TRAIN,
    benchmark=BenchmarkSettings((64, 64), 1, 10, 50, 3.0),
)
STAGES = ("latency", "pretrain", "search", "teacher", "student", "export", "benchmark")
STEP = StepCost(10.0, 3.0, 1000, None, 100, 80)


@pytest.fixture
def computed(monkeypatch):
    """Names of the stages whose step was computed; each takes 3 s."""
    names = []

    def compute(name, *arguments):
        names.append(name)
        return STEP

    monkeypatch.setattr(job, "measure_speed", lambda threads: MachineSpeed(1e11, 1e10))
    monkeypatch.setattr(job, "computed_step", compute)
    return names


def change(settings=SETTINGS, **groups):
    """`settings` with changed fields of groups."""
    changed = {
        name: dataclasses.replace(getattr(settings, name), **fields)
        for name, fields in groups.items()
    }
    return dataclasses.replace(settings, **changed)


def stages(path, settings=SETTINGS, **kwargs):
    return {each.name: each for each in estimate_run(path, settings, FACTS, **kwargs).stages}


def finish(workdir: Workdir, *names: str) -> None:
    for name in names:
        workdir.stage(name, {}, lambda folder: None)


def test_a_stage_is_its_steps_and_its_evaluations(tmp_path, computed):
    found = stages(tmp_path)
    assert tuple(found) == STAGES
    rows = len(SPACE.measured_keys((64, 64), 3))
    assert (found["latency"].steps, found["latency"].seconds) == (rows, 3.0 * rows)
    # Two of 21 images are held out. Half of the others, 9, make 2 batches of 4; two epochs, the
    # first step of which takes 10 s.
    assert (found["pretrain"].steps, found["pretrain"].seconds) == (4, 10 + 3 * 3.0)
    # They make 3 batches of 3. A step of four settings, the second pass of each .6 of the first, is
    # 57.6 passes forward of an image: 2 images of 2 roles, with all and with one-hot choices. Two
    # networks of every role are scored after both epochs.
    assert found["search"].steps == 6
    evaluation = job.EVALUATION_SECONDS + 2 * 2 * 2 * 3.0 / 57.6 + 8 * job.RANKING_SECONDS
    assert found["search"].seconds == pytest.approx(10 + 5 * 3.0 + evaluation)
    # An image forward is a third of a step of one crop: 1 s.
    assert found["teacher"].seconds == pytest.approx(10 + 19 * 3.0 + 2 * 5 * 1.0)
    assert found["export"].seconds == pytest.approx(2 * (job.EXPORT_SECONDS + 5))
    assert found["benchmark"].seconds == pytest.approx(2 * (job.EXPORT_SECONDS + 60))
    assert found["student"].disk_bytes == 5 * 100 + 3 * 80 + job.LOG_BYTES


def test_scored_networks_take_no_step(tmp_path, computed):
    for strategy, seconds in (("evolution", 7 * job.RANKING_SECONDS), ("most_macs", 0.0)):
        found = stages(tmp_path, change(search={"strategy": strategy, "networks": 7}))["search"]
        assert (found.steps, found.seconds) == (0, seconds)


def test_networks_calibrate_the_table(tmp_path, computed):
    settings = change(latency={"latency_calibration": 8})
    rows = len(SPACE.measured_keys((64, 64), 3))
    expected = 3.0 * rows + 8 * job.EXPORT_SECONDS
    assert stages(tmp_path, settings)["latency"].seconds == expected


def test_images_that_are_not_drawn_yet_take_disk(tmp_path, computed):
    settings = dataclasses.replace(SETTINGS, data=DataSettings())
    before = stages(tmp_path / "camvid")["latency"].disk_bytes
    # 26 images of 64 x 64.
    expected = before + round(job.GENERATED_BYTES_A_PIXEL * 26 * 64 * 64)
    assert stages(tmp_path / "a", settings)["latency"].disk_bytes == expected
    (tmp_path / "b" / "data").mkdir(parents=True)
    assert stages(tmp_path / "b", settings)["latency"].disk_bytes == before


def test_cached_images_take_memory(tmp_path, computed):
    found = stages(tmp_path, change(data={"cache": True}))
    # Without tf.data, every reading process has its own.
    on_tensorflow = keras.backend.backend() == "tensorflow"
    copies = 1 if on_tensorflow else available_cores().threads
    assert found["teacher"].memory_bytes == 1000 + copies * 21 * 64 * 64 * 4


def test_finished_stages_are_left_out(tmp_path, computed):
    finish(Workdir(tmp_path), "latency", "pretrain", "benchmark")
    assert tuple(stages(tmp_path)) == ("search", "teacher", "student", "export")
    assert computed == ["search", "teacher", "student"]


def test_a_given_table_and_no_pretraining_take_no_step(tmp_path, computed):
    settings = change(latency={"latency_table": "there"}, pretrain={"epochs": 0})
    assert tuple(stages(tmp_path, settings)) == STAGES[2:]


def test_a_training_to_be_prolonged_has_its_further_epochs_left(tmp_path, computed):
    workdir = Workdir(tmp_path)
    for role in ("teacher", "student"):
        workdir.stage(role, {role: TRAIN}, lambda folder: None)
    finish(workdir, "latency", "pretrain", "search", "benchmark")
    for role, genotype in networks().items():
        genotype.save(tmp_path / "search" / f"{role}.json")
    found = stages(tmp_path, change(student={"epochs": 5}))
    assert tuple(found) == ("student", "export")
    assert found["student"].steps == 3 * 10
    assert found["student"].basis == COMPUTED


def test_networks_are_bounded_or_typical_until_they_are_found(tmp_path, computed, monkeypatch):
    bases = {name: stage.basis for name, stage in stages(tmp_path).items()}
    assert bases["search"] == COMPUTED
    assert (bases["teacher"], bases["student"]) == (AT_MOST, TYPICAL)
    monkeypatch.setattr(job, "measure_apart", lambda *_: STEP)
    bases = {name: stage.basis for name, stage in stages(tmp_path, way=MEASURED_ESTIMATE).items()}
    assert bases["search"] == MEASURED
    assert bases["teacher"] == bases["student"] == AT_MOST


def test_what_cannot_be_measured_is_computed_and_refused_for_want_of_memory(
    tmp_path, computed, monkeypatch, caplog
):
    errors = {"pretrain": RuntimeError("too slow"), "search": MemoryError("killed")}

    def measure(name, *arguments):
        if name in errors:
            raise errors[name]
        return STEP

    monkeypatch.setattr(job, "measure_apart", measure)
    estimate = estimate_run(tmp_path, SETTINGS, FACTS, MEASURED_ESTIMATE)
    assert computed == ["latency", "pretrain", "search"]
    assert "pretrain is computed, not measured: too slow." in caplog.text
    with pytest.raises(
        ValueError, match="stage search does not fit: killed; reduce --search_batch"
    ):
        check_fits(estimate)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, 3), ({"latency_runtime": "onnxruntime"}, None), ({"latency_table": "there"}, None)],
)
def test_the_speed_is_measured_with_the_threads_of_the_table(
    tmp_path, computed, monkeypatch, changes, expected
):
    asked = []
    monkeypatch.setattr(job, "measure_speed", asked.append)
    estimate_run(tmp_path, change(latency={"latency_threads": 3, **changes}), FACTS)
    assert asked == [expected]


def test_times_of_ended_stages_stay_and_a_damaged_file_is_a_warning(tmp_path, computed, caplog):
    stages(tmp_path)
    content = read_json(tmp_path / ESTIMATE)
    assert [row["name"] for row in content["times"]] == list(STAGES)
    content["times"][1]["taken_seconds"] = 5.0
    job.write_json(tmp_path / ESTIMATE, content)
    finish(Workdir(tmp_path), "pretrain")
    stages(tmp_path)
    rows = read_json(tmp_path / ESTIMATE)["times"]
    assert (rows[0]["name"], rows[0]["taken_seconds"]) == ("pretrain", 5.0)
    assert [row["name"] for row in rows[1:]] == ["latency", *STAGES[2:]]
    for damaged in ("damaged", "[]", '{"times": [{"stage": "search"}]}'):
        (tmp_path / ESTIMATE).write_text(damaged)
        assert tuple(stages(tmp_path)) == ("latency", *STAGES[2:])
    assert caplog.text.count("cannot be read") == 3


def test_the_quick_way_computes_the_whole_run(tmp_path):
    found = stages(tmp_path)
    assert tuple(found) == STAGES
    assert all(stage.seconds > 0 for stage in found.values())
    assert all(found[name].memory_bytes > 10**8 for name in STAGES[:5])


# === What fits ===


def stage(name="search", basis=MEASURED, memory=4 * GB, disk=GB, **kwargs):
    return StageEstimate(name, basis, 60.0, disk, 1000, 0.5, memory, **kwargs)


def estimate(*found, memory=8 * GB, disk=10 * GB):
    return Estimate(found, memory, disk)


def test_too_much_memory_is_refused_with_what_to_do():
    check_fits(estimate(stage()))
    message = (
        r"^The stage search needs 9.00 GB of memory \(measured\), but only 8.00 GB are free; "
        r"reduce --search_batch_size or --search_crop_size. The stage latency needs 10.00 GB .*; "
        r"reduce --latency_size. Use --force to run anyway.$"
    )
    with pytest.raises(ValueError, match=message):
        check_fits(estimate(stage(memory=9 * GB), stage("latency", memory=10 * GB)))


@pytest.mark.parametrize("basis", [AT_MOST, TYPICAL])
def test_the_memory_of_an_unknown_network_is_a_warning(caplog, basis):
    check_fits(estimate(stage("teacher", basis, memory=90 * GB, shortage=None)))
    assert f"teacher needs 90.00 GB of memory ({basis})" in caplog.text


def test_a_computed_memory_is_refused_beyond_its_margin(caplog):
    check_fits(estimate(stage(basis=COMPUTED, memory=12 * GB)))
    assert "search needs 12.00 GB of memory (computed), but only 8.00 GB are free" in caplog.text
    with pytest.raises(ValueError, match=r"search needs 12.10 GB .* reduce --search_batch_size or"):
        check_fits(estimate(stage(basis=COMPUTED, memory=12_100_000_000)))


def test_too_little_disk_is_refused():
    message = (
        "^The run needs 11.00 GB of disk space, but only 10.00 GB are free; choose a workdir on "
        "another disk"
    )
    with pytest.raises(OSError, match=message):
        check_fits(estimate(stage(disk=6 * GB), stage("teacher", disk=5 * GB)))


def test_force_warns_in_place_of_refusing(caplog):
    check_fits(estimate(stage(memory=9 * GB, disk=11 * GB)), force=True)
    assert "search needs 9.00 GB" in caplog.text
    assert "The run needs 11.00 GB of disk" in caplog.text
