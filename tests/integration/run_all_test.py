"""A complete run, end to end, on generated streets, as short as possible."""

import dataclasses
import pathlib

import numpy as np
import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.jobs import compare as comparing
from keras_fasterseg.jobs.compare import compare
from keras_fasterseg.jobs.run_all import check_stages, run_all, summary_tables
from keras_fasterseg.jobs.train import load_network
from keras_fasterseg.run.run import Run, stages_of
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.stages import (
    BenchmarkSettings,
    DataSettings,
    LatencySettings,
    RunSettings,
)
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.space import FasterSegSpace
from tests.stand_in import assert_same_classes, random_images
from tools.maintenance.run_table import run_markdown

SIZE = (64, 128)
CROP = (64, 64)
TRAINING = TrainSettings(
    epochs=1, steps_per_epoch=1, batch_size=1, crop_size=CROP, evaluate_every=1
)
SETTINGS = RunSettings(
    data=DataSettings(synthetic_train_images=4, synthetic_val_images=2, synthetic_size=SIZE),
    space=FasterSegSpace(
        # One width makes 35 rows of the latency table, two would make 123.
        FasterSegSettings(4, base_filters=2, width_multipliers=(1.0,), student_width=1.0)
    ),
    latency=LatencySettings(
        latency_size=SIZE, latency_warmup=0, latency_repetitions=1, latency_time_budget=0.001
    ),
    pretrain=PretrainSettings(
        epochs=1, steps_per_epoch=1, batch_size=1, crop_size=CROP, downsample=1
    ),
    search=SearchSettings(
        epochs=1,
        steps_per_epoch=1,
        batch_size=1,
        crop_size=CROP,
        downsample=1,
        validation_images=1,
    ),
    teacher=TRAINING,
    student=TRAINING,
    benchmark=BenchmarkSettings(input_size=SIZE, warmup=1, repetitions=2, seconds=0.0),
)


def new_run(root, settings) -> Run:
    """As the tool opens it."""
    run = Run(root, settings.data, settings.seed)
    check_stages(run, settings)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run and its return value."""
    root = tmp_path_factory.mktemp("run")
    return root, run_all(new_run(root, SETTINGS), SETTINGS)


def run_with(root, stage, changed):
    settings = dataclasses.replace(SETTINGS, **{stage: changed})
    run_all(new_run(root, settings), settings)


def files_with_times(root: pathlib.Path) -> dict[str, int]:
    return {
        str(path.relative_to(root)): path.stat().st_mtime_ns
        for path in root.rglob("*")
        if path.is_file() and path.name != "summary.json"
    }


def test_summary(run):
    root, summary = run
    assert read_json(root / "summary.json") == summary
    assert summary["dataset"] == "synthetic"
    assert summary["num_classes"] == 19
    assert 0 < summary["constant_predictor_miou"] < 1 / 2
    assert tuple(summary["minutes"]) == stages_of(SETTINGS.space)
    for role in ("teacher", "student"):
        network = summary[role]
        found = FasterSegGenotype.load(root / "search" / f"{role}.json")
        assert network["genotype"] == found.id
        assert network["branches"] == [branch.scale for branch in found.branches]
        assert network["input_size"] == list(SIZE)
        assert 0 <= network["miou"] <= 1
        assert len(network["per_class"]) == 19
        assert network["fps"] > 0
        assert network["macs"] > 0
        assert pathlib.Path(network["saved_model"], "saved_model.pb").is_file()
        deployed = load_network(root / role / "network.keras").without_auxiliary_heads()
        weights = sum(int(np.prod(w.shape)) for w in deployed.trainable_weights)
        assert network["parameters_inference"] == weights
    assert summary["student"]["latency_ms_predicted"] > 0


def test_tables_for_people(run):
    _, summary = run
    text = summary_tables(summary)
    for expected in ("teacher", "student", "constant predictor", "FPS 64x128", "road"):
        assert expected in text


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_exported_class_ids_are_those_of_the_trained_network(run, role):
    root, summary = run
    network = load_network(root / role / "network.keras").without_auxiliary_heads()
    images = random_images(2, *SIZE)
    logits = KerasRunner(network, IMAGENET_MEAN, IMAGENET_STD).logits(images)
    exported = SavedModelRunner(summary[role]["saved_model"])
    assert_same_classes(exported(images), logits)


def test_scores_of_the_trained_and_of_the_exported_network_agree(run):
    root, summary = run
    for role in ("teacher", "student"):
        trained = read_json(root / role / "evaluation.json")
        # Two runtimes may round the logits of a few pixels to different classes.
        assert summary[role]["miou"] == pytest.approx(trained["miou"], abs=2e-3)


def test_the_same_command_again_does_nothing(run):
    root, summary = run
    before = files_with_times(root)
    assert run_all(new_run(root, SETTINGS), SETTINGS) == summary
    assert files_with_times(root) == before


@pytest.mark.slow
def test_comparison(run, monkeypatch):
    root, summary = run
    published = read_json(root / "search" / "teacher.json")
    monkeypatch.setattr(
        comparing, "load_preset", lambda name: FasterSegGenotype.from_json(published)
    )
    compare(new_run(root, SETTINGS), SETTINGS, summary, "the command")
    found = read_json(root / "comparison.json")
    names = [(row["name"], row["distilled"]) for row in found["rows"]]
    assert names == [
        ("searched teacher", False),
        ("searched student", True),
        ("searched student", False),
        ("published student", False),
    ]
    stages = ("teacher", "student", "student_alone", "published_student")
    for row, stage in zip(found["rows"], stages, strict=True):
        trained = read_json(root / stage / "evaluation.json")
        # As above: two runtimes.
        assert row["miou"] == pytest.approx(trained["miou"], abs=2e-3)
        assert row["fps"] > 0
        assert row["epochs"] == 1
    assert [row["parameters_inference"] for row in found["rows"][:3]] == [
        summary[role]["parameters_inference"] for role in ("teacher", "student", "student")
    ]
    assert found["entropies"] == summary["entropies"]
    assert found["command"] == "the command"
    assert {*stages_of(SETTINGS.space), "student_alone", "published_student"} < set(
        found["minutes"]
    )
    # The student with and without its teacher began alike and learnt otherwise.
    alone, taught = (
        load_network(root / stage / "network.keras") for stage in ("student_alone", "student")
    )
    assert any(
        (a != b).any() for a, b in zip(alone.get_weights(), taught.get_weights(), strict=True)
    )
    text = run_markdown(root)
    assert "searched student, distilled" in text


@pytest.mark.parametrize(
    ("stage", "field", "value"),
    [
        ("latency", "latency_repetitions", 2),
        ("pretrain", "learning_rate", 0.5),
        ("search", "penalty_weight", 0.5),
        ("teacher", "learning_rate", 0.5),
        ("student", "learning_rate", 0.5),
        ("benchmark", "repetitions", 3),
    ],
)
def test_a_changed_setting_is_refused_and_named(run, stage, field, value):
    root, _ = run
    changed = dataclasses.replace(getattr(SETTINGS, stage), **{field: value})
    before = files_with_times(root)
    flag = field if stage == "latency" else f"{stage}_{field}"
    with pytest.raises(ValueError, match=f"{stage} was finished with other .*--{flag} was"):
        run_with(root, stage, changed)
    assert files_with_times(root) == before


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        ("student", {"crop_size": (48, 64)}, "a multiple of 32.*48x64"),
        ("teacher", {"epochs": 0}, "epochs=0"),
        ("search", {"min_fps": 180.0}, "min_fps=180.0, max_fps=175.0"),
        (
            "search",
            {"penalty_shares": "mine"},
            "one of paper, code, auto, undivided. Received: penalty_shares=mine",
        ),
    ],
)
def test_late_stages_are_checked_before_the_first_one(tmp_path, stage, changes, message):
    changed = dataclasses.replace(getattr(SETTINGS, stage), **changes)
    with pytest.raises(ValueError, match=message):
        run_with(tmp_path / "run", stage, changed)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("pretrain", "Stage pretrain: 1 image of 4 training images .* --pretrain_batch_size"),
        ("search", "Stage search: 1 image of 4 training .* --search_batch_size to at most 1"),
        ("student", "Stage student: 4 training images cannot.* --student_batch_size"),
    ],
)
def test_batches_are_checked_before_the_first_stage(tmp_path, stage, message):
    changed = dataclasses.replace(getattr(SETTINGS, stage), batch_size=5)
    with pytest.raises(ValueError, match=message):
        run_with(tmp_path / "run", stage, changed)
    assert not (tmp_path / "run").exists()
