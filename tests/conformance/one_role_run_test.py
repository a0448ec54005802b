"""A complete run in a search space with one role and no pretraining; teacher from another space."""

import dataclasses

import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.jobs.estimate import estimate_run
from keras_fasterseg.jobs.run_all import check_stages, run_all, summary_tables
from keras_fasterseg.jobs.train import train
from keras_fasterseg.run.run import Run, stages_of
from keras_fasterseg.run.trained_networks import load_network
from keras_fasterseg.settings.search import SearchSettings
from keras_fasterseg.settings.stages import (
    BenchmarkSettings,
    DataSettings,
    LatencySettings,
    RunSettings,
)
from keras_fasterseg.settings.training import TrainSettings
from tests.conformance.spaces import tiny_space
from tests.conformance.toy_space import ToySpace
from tools.maintenance.run_table import run_markdown

SIZE = (64, 64)
TRAINING = TrainSettings(
    epochs=1, steps_per_epoch=1, batch_size=1, crop_size=SIZE, evaluate_every=1
)
SETTINGS = RunSettings(
    data=DataSettings(synthetic_train_images=3, synthetic_val_images=1, synthetic_size=SIZE),
    space=ToySpace(),
    latency=LatencySettings(
        latency_size=SIZE, latency_warmup=0, latency_repetitions=1, latency_time_budget=0.001
    ),
    search=SearchSettings(
        epochs=1,
        steps_per_epoch=1,
        batch_size=1,
        crop_size=SIZE,
        downsample=1,
        validation_images=1,
    ),
    student=TRAINING,
    benchmark=BenchmarkSettings(input_size=SIZE, warmup=1, repetitions=2, seconds=0.0),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("run"), SETTINGS.data)
    check_stages(run, SETTINGS)
    return run


@pytest.fixture(scope="module")
def summary(run):
    return run_all(run, SETTINGS)


def test_a_run_has_the_stages_of_its_space(run, summary):
    assert tuple(summary["minutes"]) == ("latency", "search", "student", "export", "benchmark")
    assert not (run.path / "pretrain").exists()
    assert not (run.path / "teacher").exists()
    assert "teacher" not in summary
    assert summary["student"]["genotype"] == load_network(run.network("student")).genotype.id
    assert set(summary["entropies"]["student"]) == {"cells"}
    assert summary["student"]["fps"] > 0
    assert "student" in summary_tables(summary)
    assert read_json(run.path / "search" / "stage.json")["settings"]["space"] == "toy"


def test_a_run_without_architecture_parameters_has_no_entropies(run, summary, tmp_path):
    search = dataclasses.replace(SETTINGS.search, strategy="most_macs", min_fps=0.001, max_fps=1e6)
    own = Run(tmp_path, SETTINGS.data)
    found = run_all(own, dataclasses.replace(SETTINGS, search=search))
    assert found["entropies"] == {}
    text = run_markdown(tmp_path)
    assert "Minutes: " in text
    assert "Entropy" not in text
    assert "Entropy" in run_markdown(run.path)


def test_an_estimate_has_the_stages_of_its_space(tmp_path):
    facts = check_stages(Run(tmp_path, SETTINGS.data), SETTINGS)
    found = estimate_run(tmp_path, SETTINGS, facts)
    assert [each.name for each in found.stages] == list(stages_of(SETTINGS.space))


def test_the_teacher_may_be_of_another_space(run, tmp_path):
    source, other = run.source, tiny_space("fasterseg")
    teacher = other.build(
        other.largest_genotype("teacher"),
        source.num_classes,
        auxiliary_heads=True,
        mean=source.mean,
        std=source.std,
        classes=source.classes,
    )
    teacher.save(tmp_path / "teacher.keras")
    genotype = SETTINGS.space.largest_genotype()
    student = train(
        tmp_path, source, SETTINGS.data, genotype, TRAINING, tmp_path / "teacher.keras", seed=0
    )
    assert load_network(student).genotype == genotype
    assert "distillation_loss" in (tmp_path / "log.csv").read_text(encoding="utf-8")
