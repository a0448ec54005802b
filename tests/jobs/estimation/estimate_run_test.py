"""Estimating a run as small as can be, on this machine."""

import dataclasses
import json
import statistics

import numpy as np
import pytest
from keras_fasterseg.search.supernets import build_search_space

from keras_fasterseg.available_cores import AvailableCores
from keras_fasterseg.jobs.checks import DataFacts
from keras_fasterseg.jobs.estimation import closed_form
from keras_fasterseg.jobs.estimation import estimate_run as job
from keras_fasterseg.jobs.estimation.estimate import AT_MOST, COMPUTED, MEASURED, TYPICAL
from keras_fasterseg.jobs.estimation.estimate_run import (
    ESTIMATE,
    estimate_run,
)
from keras_fasterseg.jobs.estimation.measurement import Measurement
from keras_fasterseg.jobs.estimation.speed import MachineSpeed
from keras_fasterseg.run.run import STAGES
from keras_fasterseg.run.workdir import Workdir
from keras_fasterseg.settings.stages import MEASURED_ESTIMATE, QUICK_ESTIMATE
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.largest import largest_genotype
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.random_genotype import random_genotype
from keras_fasterseg.spaces.fasterseg.work import network_work
from tests.jobs.estimation.stage_estimates_test import TRAIN, Settings

FACTS = DataFacts(("a", "b", "c"), train_images=20, val_images=5, size=(64, 64))
STEP = Measurement(10.0, 2.0, 1000, None, 100, 80)


@pytest.fixture
def probed(monkeypatch):
    """Names of the stages that were probed, call by call; nothing is run."""
    calls = []

    def run_probes(measures, limit_seconds, limit_bytes):
        calls.append(tuple(measures))
        return dict.fromkeys(measures, STEP)

    monkeypatch.setattr(job, "run_probes", run_probes)
    return calls


ALL = ("latency", "pretrain", "search", "teacher", "student")


def finish(workdir: Workdir, *names: str) -> None:
    for name in names:
        workdir.stage(name, {}, lambda folder: None)


def measured(stages, *names: str) -> None:
    """Asserts that these were measured."""
    found = {stage.name: stage for stage in stages}
    for name in names:
        assert found[name].failure is None
        assert found[name].basis == MEASURED
        assert found[name].step_seconds > 0
        assert found[name].memory_bytes > 10**8


def test_a_training_is_measured_on_this_machine(tmp_path):
    workdir = Workdir(tmp_path)
    finish(workdir, "pretrain", "search", "teacher", "export")
    genotypes = {role: short_genotype(width) for role, width in WIDTHS.items()}
    for role, genotype in genotypes.items():
        genotype.save(tmp_path / "search" / f"{role}.json")
    stages = estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE, 300).stages
    assert [stage.name for stage in stages] == ["latency", "student", "benchmark"]
    measured(stages, "latency", "student")
    kept = json.loads((tmp_path / ESTIMATE).read_text())["measurements"]["student"]["measurement"]
    network = FasterSegNetwork(genotypes["student"], 3, auxiliary_heads=True)
    assert kept["weight_bytes"] == size(network.variables)
    # A momentum for each weight; besides, the count of steps and the learning rate.
    assert 0 < kept["slot_bytes"] - size(network.trainable_variables) <= 32


def test_a_training_to_be_prolonged_has_its_further_epochs_left(tmp_path):
    workdir, settings = Workdir(tmp_path), Settings()
    for role, epochs in (("teacher", 30), ("student", 20)):
        trained = dataclasses.replace(getattr(settings, role), epochs=epochs)
        workdir.stage(role, {role: trained}, lambda folder: None)
        (tmp_path / "search").mkdir(exist_ok=True)
        short_genotype(WIDTHS[role]).save(tmp_path / "search" / f"{role}.json")
    finish(workdir, "search")
    longer = dataclasses.replace(
        settings,
        teacher=dataclasses.replace(settings.teacher, epochs=30),
        student=dataclasses.replace(settings.student, epochs=50),
    )
    stages = {each.name: each for each in estimate_run(tmp_path, longer, FACTS).stages}
    assert set(stages) == {"latency", "pretrain", "student", "export", "benchmark"}
    assert stages["student"].steps == 30 * TRAIN.steps_per_epoch
    assert stages["student"].basis == COMPUTED


@pytest.mark.slow
def test_a_supernet_is_measured_on_this_machine(tmp_path):
    finish(Workdir(tmp_path), "latency", "teacher", "student", "export", "benchmark")
    settings = Settings()
    settings = dataclasses.replace(
        settings,
        pretrain=dataclasses.replace(settings.pretrain, batch_size=1, crop_size=(64, 64)),
        search=dataclasses.replace(settings.search, batch_size=1),
    )
    stages = estimate_run(tmp_path, settings, FACTS, MEASURED_ESTIMATE, 300).stages
    measured(stages, "pretrain", "search")
    kept = json.loads((tmp_path / ESTIMATE).read_text())["measurements"]
    supernet = build_search_space(settings.supernet, 3, seed=0).supernet
    for name in ("pretrain", "search"):
        assert kept[name]["measurement"]["weight_bytes"] == size(supernet.variables)


WIDTHS = {"teacher": 1.0, "student": 0.5}


def short_genotype(width: float) -> FasterSegGenotype:
    """One branch of three cells."""
    cells = [(0, 8, 2, 1.0), (1, 16, 2, 1.0), (2, 32, 1, width)]
    branch = BranchGenotype(
        32,
        tuple(CellGenotype(layer, scale, "conv", stride, w) for layer, scale, stride, w in cells),
    )
    return FasterSegGenotype("fasterseg", 2, 4, width, width, (branch,))


def size(variables) -> int:
    return sum(np.asarray(variable).nbytes for variable in variables)


def test_what_was_measured_is_not_measured_again(tmp_path, probed):
    first = estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE)
    second = estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE)
    assert probed == [ALL]
    assert second.stages == first.stages


def test_more_epochs_need_no_measurement(tmp_path, probed):
    estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE)
    longer = Settings(teacher=dataclasses.replace(TRAIN, epochs=4))
    stages = {
        each.name: each for each in estimate_run(tmp_path, longer, FACTS, MEASURED_ESTIMATE).stages
    }
    assert probed == [ALL]
    assert stages["teacher"].steps == 2 * stages["student"].steps


def test_a_changed_setting_is_measured_anew(tmp_path, probed):
    estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE)
    wider = Settings(teacher=dataclasses.replace(TRAIN, crop_size=(64, 128)))
    estimate_run(tmp_path, wider, FACTS, MEASURED_ESTIMATE)
    assert probed[1:] == [("teacher",)]


def test_other_cores_are_measured_anew(tmp_path, probed, monkeypatch):
    for cores in (AvailableCores(4, 2), AvailableCores(4, 2, 1.5), AvailableCores(2, 2, 1.5)):
        monkeypatch.setattr(job, "available_cores", lambda cores=cores: cores)
        for _ in range(2):
            estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE)
    assert probed == [ALL] * 3


def test_steps_of_another_version_are_measured_anew(tmp_path, probed, monkeypatch):
    for version in (1, 1, 2):
        monkeypatch.setattr(job.probe_steps, "VERSION", version)
        estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE)
    assert probed == [ALL] * 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 3),
        ({"latency_runtime": "onnxruntime"}, None),
        ({"latency_table": "there"}, None),
    ],
)
def test_the_speed_is_measured_with_the_threads_of_the_table(
    tmp_path, monkeypatch, changes, expected
):
    asked = []

    def measure_speed(threads):
        asked.append(threads)
        return MachineSpeed(1e11, 1e10)

    monkeypatch.setattr(job, "measure_speed", measure_speed)
    settings = Settings()
    latency = dataclasses.replace(settings.latency, latency_threads=3, **changes)
    estimate_run(tmp_path, dataclasses.replace(settings, latency=latency), FACTS)
    assert asked == [expected]


def test_a_corrupt_file_is_measured_anew(tmp_path, probed):
    estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE)
    (tmp_path / ESTIMATE).write_text('{"measurements": {"search"')
    estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE)
    assert probed == [ALL, ALL]


def test_finished_stages_are_left_out(tmp_path, probed):
    workdir = Workdir(tmp_path)
    finish(workdir, "latency", "pretrain", "benchmark")
    stages = estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE).stages
    assert [each.name for each in stages] == ["search", "teacher", "student", "export"]


def test_networks_that_are_yet_to_be_searched_are_bounded(tmp_path, probed):
    stages = {
        each.name: each
        for each in estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE).stages
    }
    assert stages["teacher"].basis == stages["student"].basis == AT_MOST


def test_a_given_table_and_no_pretraining_need_no_measurement(tmp_path, probed):
    settings = Settings()
    settings = dataclasses.replace(
        settings,
        latency=dataclasses.replace(settings.latency, latency_table="there"),
        pretrain=dataclasses.replace(settings.pretrain, epochs=0),
    )
    estimate_run(tmp_path, settings, FACTS, MEASURED_ESTIMATE)
    assert probed == [("search", "teacher", "student")]


def test_the_quick_way_computes_every_stage_and_measures_none(tmp_path, probed, monkeypatch):
    monkeypatch.setattr(job, "measure_speed", lambda threads: MachineSpeed(1e11, 1e10))
    settings = Settings()
    estimate = estimate_run(tmp_path, settings, FACTS, QUICK_ESTIMATE)
    assert probed == []
    bases = {each.name: each.basis for each in estimate.stages[:5]}
    assert bases == {
        "latency": COMPUTED,
        "pretrain": COMPUTED,
        "search": COMPUTED,
        "teacher": TYPICAL,
        "student": TYPICAL,
    }
    pretrain = estimate.stages[1]
    computed = closed_form.pretrain_step(
        settings.supernet, settings.pretrain, 3, MachineSpeed(1e11, 1e10)
    )
    assert pretrain.step_seconds == computed.step_seconds
    assert pretrain.memory_bytes == computed.memory_bytes
    times = json.loads((tmp_path / ESTIMATE).read_text())["times"]
    assert [row["name"] for row in times] == list(STAGES)
    assert times[1]["estimated_seconds"] == pretrain.seconds


def test_the_quick_way_keeps_what_was_measured(tmp_path, probed):
    estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE)
    estimate_run(tmp_path, Settings(), FACTS, QUICK_ESTIMATE)
    estimate_run(tmp_path, Settings(), FACTS, MEASURED_ESTIMATE)
    assert probed == [ALL]


def test_a_typical_network_has_the_median_work_of_those_that_were_drawn(monkeypatch):
    drawn = []

    def draw(*arguments, **options):
        drawn.append(random_genotype(*arguments, **options))
        return drawn[-1]

    monkeypatch.setattr(job, "random_genotype", draw)
    typical = job._typical(Settings().supernet, "student", 0.5)
    macs = [network_work(each, (64, 64), 1).macs for each in drawn]
    assert len(set(macs)) > 1
    assert network_work(typical, (64, 64), 1).macs == statistics.median(macs)


def test_a_typical_network_is_between_the_smallest_and_the_largest():
    supernet = Settings().supernet
    for role, width in WIDTHS.items():
        typical = job._typical(supernet, role, width)
        largest = largest_genotype(supernet.num_layers, supernet.base_filters, width)
        macs = [network_work(each, (64, 64), 1).macs for each in (typical, largest)]
        assert macs[0] < macs[1]
        assert typical.stem_width == width
    assert typical == job._typical(supernet, role, width)
