import dataclasses
import logging as python_logging

import keras
import pytest
from absl import logging

from keras_fasterseg.data.synthetic_streets import SyntheticStreets
from keras_fasterseg.jobs import checks
from keras_fasterseg.jobs.checks import check_run
from keras_fasterseg.jobs.search import check_search
from keras_fasterseg.jobs.train import check_training
from keras_fasterseg.run import local_devices
from keras_fasterseg.run.data_checks import DataFacts, check_data
from keras_fasterseg.run.run import stages_of
from keras_fasterseg.settings import stages
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.space import FasterSegSpace
from keras_fasterseg.spaces.joint.space import JointSpace
from tests.run.latency_rows import random_table
from tests.spaces.joint.tiny import SETTINGS as JOINT_SETTINGS

SUPERNET = FasterSegSettings(4, 2, (0.5, 1.0), 0.5)
DATA = stages.DataSettings(
    synthetic_train_images=8, synthetic_val_images=4, synthetic_size=(64, 128)
)
SIZE = {"crop_size": (64, 64), "downsample": 1, "batch_size": 3}
RUN = stages.RunSettings(
    data=DATA,
    space=FasterSegSpace(SUPERNET),
    latency=stages.LatencySettings(latency_size=(64, 128)),
    pretrain=stages.PretrainSettings(**SIZE),
    search=stages.SearchSettings(**SIZE),
    teacher=stages.TrainSettings(**SIZE),
    student=stages.TrainSettings(**SIZE),
)


def with_setting(stage: str, **changes) -> stages.RunSettings:
    if stage == "space":
        return dataclasses.replace(
            RUN, space=FasterSegSpace(dataclasses.replace(SUPERNET, **changes))
        )
    changed = dataclasses.replace(getattr(RUN, stage), **changes)
    return dataclasses.replace(RUN, **{stage: changed})


@pytest.mark.parametrize(
    ("strategy", "networks", "pretrains"),
    [
        ("gradient", 1, True),
        ("evolution", 100, True),
        ("evolution", 1, False),
        ("random", 2, True),
        ("random", 1, False),
        ("most_macs", 100, False),
    ],
)
def test_searches_without_scores_pretrain_no_supernet(strategy, networks, pretrains):
    search = stages.SearchSettings(strategy=strategy, networks=networks)
    assert ("pretrain" in stages_of(RUN.space, search)) == pretrains
    assert "pretrain" not in stages_of(JointSpace(JOINT_SETTINGS), search)


def test_settings_that_fit_pass_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_run(RUN)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("stage", "changes", "expected"),
    [
        ("data", {"train_split": "test"}, "has no split 'test'; it has train, val"),
        ("data", {"dataset": "camvid"}, "'camvid' needs its folder; set --data_dir"),
        ("data", {"dataset": "camvid", "data_dir": "/gone"}, "The folder /gone does not exist"),
        ("data", {"class_order": "road,car"}, "--class_order must list every class"),
        ("space", {"width_multipliers": (1.0, 0.5)}, "must be ascending and end with 1"),
        ("latency", {"latency_calibration": 1}, "Stage latency: .*at least two networks"),
        ("latency", {"latency_table": "/gone.json"}, "Stage latency: .*/gone.json"),
        ("pretrain", {"crop_size": (64, 100)}, "Stage pretrain: .*crop_size"),
        (
            "pretrain",
            {"downsample": 4},
            "Stage pretrain: .* 64x128; with `downsample`=4 it is smaller",
        ),
        (
            "pretrain",
            {"batch_size": 4},
            "3 images of 8 training images .* --pretrain_batch_size to at most 3",
        ),
        ("search", {"min_fps": 50.0, "max_fps": 40.0}, "Stage search: .*min_fps=50.0"),
        (
            "search",
            {"batch_size": 4},
            "3 images of 8 training images .* --search_batch_size to at most 3",
        ),
        ("search", {"strategy": "luck"}, "Stage search: strategy must be one of gradient, evol"),
        ("search", {"population": 1}, "Stage search: population must be at least 2"),
        ("search", {"class_weights": "1,2,3"}, "Stage search: .* each of the 19 classes"),
        ("search", {"optimizer": "rmsprop"}, "Stage search: optimizer must be one of sgd, adam"),
        ("student", {"scales": (1.0, 0.0)}, "Stage student: .*scales must be above 0"),
        ("student", {"shift": 64}, "Stage student: .*shift must be at least 0 and below 64"),
        ("teacher", {"class_weights": "1,2,3"}, "Stage teacher: .* each of the 19 classes"),
        ("student", {"class_weights": ",".join(["-1"] * 19)}, "Stage student: .*not negative"),
        ("student", {"class_weights": "a"}, "Stage student: .*must be numbers separated"),
        ("student", {"initial_weights": "/gone.keras"}, "Stage student: The initial network /gone"),
        ("student", {"warmup_epochs": 600.0}, "Stage student: `warmup_epochs` must be below"),
        ("student", {"downsample": 3}, "Stage student: .*with `downsample`=3 it is smaller"),
        ("benchmark", {"input_size": (8, 8)}, "Stage benchmark: .*--benchmark_input_size"),
    ],
)
def test_what_is_wrong_with_a_late_stage_is_said_first(stage, changes, expected):
    with pytest.raises((ValueError, OSError), match=expected):
        check_run(with_setting(stage, **changes))


def test_a_given_table_must_have_the_rows_of_the_space(tmp_path):
    path = tmp_path / "table.json"
    table = random_table(FasterSegSpace(SUPERNET), (64, 128), num_classes=19)
    table.save(path)
    check_run(with_setting("latency", latency_table=str(path)))
    random_table(FasterSegSpace(SUPERNET), (64, 128), num_classes=5).save(path)
    with pytest.raises(
        ValueError, match=r"Stage latency: .* lacks .* operations of this search space"
    ):
        check_run(with_setting("latency", latency_table=str(path)))


def test_files_of_finished_stages_may_be_gone():
    check_run(with_setting("student", initial_weights="/gone.keras"), finished=["student"])


def test_a_network_to_begin_with_must_be_one_and_of_the_genotype(tmp_path):
    cells = (CellGenotype(0, 8, "conv", 1, 0.5), CellGenotype(1, 8, "conv", 2, 0.5))
    cells += (CellGenotype(2, 16, "conv", 1, 0.5),)
    genotype = FasterSegGenotype("fasterseg", 2, 4, 0.5, 0.5, (BranchGenotype(16, cells),))
    path = tmp_path / "network.keras"
    FasterSegNetwork(genotype, 3).save(path)
    stage = dataclasses.replace(RUN.student, initial_weights=str(path))
    check_training(stage, tuple("abc"), genotype)
    with pytest.raises(ValueError, match="is a network of genotype"):
        check_training(stage, tuple("abc"), dataclasses.replace(genotype, stem_width=1.0))
    path.write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"Stage student: .*is not a trained network"):
        check_run(dataclasses.replace(RUN, student=stage))


def test_several_devices(monkeypatch):
    facts = DataFacts(("a", "b"), 8, 2, (64, 128))
    three = dataclasses.replace(RUN.student, batch_size=3)
    checks.check_images("student", three, facts)
    monkeypatch.setattr(local_devices, "_chosen", 2)
    with pytest.raises(ValueError, match=r"--student_batch_size=3: .* among 2 devices"):
        checks.check_images("student", three, facts)


def test_jax_has_only_statistics_of_the_complete_batch(monkeypatch):
    facts = DataFacts(("a", "b"), 8, 2, (64, 128))
    apart = dataclasses.replace(RUN.student, sync_batch_norm=False)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    checks.check_images("student", apart, facts)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="--student_sync_batch_norm=false needs TensorFlow"):
        checks.check_images("student", apart, facts)


def test_crops_that_no_image_fills_are_warned_of(caplog, monkeypatch):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    facts = DataFacts(("a", "b"), 8, 2, (64, 128))
    with caplog.at_level(python_logging.WARNING):
        checks.check_images("student", dataclasses.replace(RUN.student, crop_size=(96, 128)), facts)
        assert caplog.messages == []
        checks.check_images("student", dataclasses.replace(RUN.student, crop_size=(96, 192)), facts)
    assert "Crops of 96x192 are larger than the images (64x128, downsample 1)" in caplog.messages[0]


def test_joined_splits_are_counted():
    joined = dataclasses.replace(DATA, train_split="train+val")
    assert check_data(joined) == DataFacts(SyntheticStreets.class_names, 12, 4, (64, 128))


def test_a_space_with_its_own_ssr_refuses_that_of_the_search():
    space = JointSpace(JOINT_SETTINGS)
    with pytest.raises(ValueError, match="has its own weights of the solution space reg"):
        check_search(stages.SearchSettings(ssr_weight=1.0), space)


@pytest.mark.parametrize("strategy", ["evolution", "random"])
def test_networks_are_not_scored_with_untrained_weights(strategy):
    space = JointSpace(JOINT_SETTINGS)
    settings = stages.SearchSettings(strategy=strategy, networks=2)
    with pytest.raises(ValueError, match=f"The strategy {strategy} .* joint has no pretraining"):
        check_search(settings, space)
    check_search(settings, space, pretrained="supernet.weights.h5")
    check_search(settings, FasterSegSpace())
    # A single random network needs no score.
    check_search(dataclasses.replace(settings, strategy="random", networks=1), space)
