"""Single stages record what the whole road records, so that both can be mixed."""

import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.pipelines import run_all as whole
from keras_fasterseg.pipelines import single_stages
from keras_fasterseg.pipelines.measure_latency import TABLE
from keras_fasterseg.pipelines.pretrain import WEIGHTS
from keras_fasterseg.pipelines.run_all import RunSettings, run_all
from keras_fasterseg.pipelines.settings import (
    DataSettings,
    LatencySettings,
    SupernetSettings,
    TrainSettings,
)
from keras_fasterseg.pipelines.train import MODEL
from keras_fasterseg.spaces.fasterseg.latency_costs import required_keys
from keras_fasterseg.spaces.fasterseg.presets import load_preset
from tests.pipelines.describe_test import table_of

SIZE = (64, 128)
SETTINGS = RunSettings(
    data=DataSettings(synthetic_train_images=2, synthetic_val_images=1, synthetic_size=SIZE),
    supernet=SupernetSettings(num_layers=4, base_filters=2, width_multipliers=(0.5, 1.0)),
    latency=LatencySettings(latency_size=SIZE),
    teacher=TrainSettings(epochs=2),
    student=TrainSettings(epochs=3),
    seed=4,
)
STAGES = ("latency", "pretrain", "search", "teacher", "student")


class EnoughError(Exception):
    """Ends the whole road after its last stage that is a single one too."""


@pytest.fixture(autouse=True)
def _jobs_without_work(monkeypatch):
    """Jobs that leave the files which the next stage reads, and compute nothing."""

    def measure(folder, supernet, settings, num_classes):
        keys = required_keys(
            settings.latency_size,
            base_filters=supernet.base_filters,
            width_multipliers=supernet.width_multipliers,
            stem_head_width=supernet.student_width,
            num_classes=num_classes,
        )
        table_of(keys, SIZE).save(folder / TABLE)

    def pretrain(folder, *arguments):
        (folder / WEIGHTS).write_text("", encoding="utf-8")

    def search(folder, *arguments):
        for role in ("teacher", "student"):
            load_preset(f"fasterseg_{role}").save(folder / f"{role}.json")

    def train(folder, *arguments):
        (folder / MODEL).write_text("", encoding="utf-8")

    def export(*arguments, **keywords):
        raise EnoughError

    for module in (whole, single_stages):
        monkeypatch.setattr(module, "measure_latency", measure)
        monkeypatch.setattr(module, "pretrain", pretrain)
        monkeypatch.setattr(module, "search", search)
        monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(whole, "export", export)


def run_whole(root):
    with pytest.raises(EnoughError):
        run_all(root, SETTINGS)


def run_singly(root):
    data, supernet, seed = SETTINGS.data, SETTINGS.supernet, SETTINGS.seed
    single_stages.latency_stage(root, supernet, SETTINGS.latency, 19)
    single_stages.pretrain_stage(root, data, supernet, SETTINGS.pretrain, seed)
    single_stages.search_stage(root, data, supernet, SETTINGS.search, seed)
    teacher = None
    for role, settings in (("teacher", SETTINGS.teacher), ("student", SETTINGS.student)):
        genotype = load_preset(f"fasterseg_{role}")
        teacher = single_stages.train_stage(root, data, genotype, settings, seed, role, teacher)


def records(root):
    return {name: read_json(root / name / "stage.json") for name in STAGES}


def test_the_whole_road_and_single_stages_record_the_same(tmp_path):
    run_whole(tmp_path / "whole")
    run_singly(tmp_path / "singly")
    expected, recorded = records(tmp_path / "whole"), records(tmp_path / "singly")
    for name in STAGES:
        assert recorded[name]["settings"] == expected[name]["settings"], name


@pytest.mark.parametrize(("first", "second"), [(run_whole, run_singly), (run_singly, run_whole)])
def test_either_goes_on_where_the_other_ended(tmp_path, first, second):
    first(tmp_path)
    before = records(tmp_path)
    second(tmp_path)
    assert records(tmp_path) == before


def test_files_from_elsewhere_are_recorded_by_name(tmp_path):
    data, supernet, seed = SETTINGS.data, SETTINGS.supernet, SETTINGS.seed
    run_singly(tmp_path / "first")
    table = tmp_path / "first" / "latency" / TABLE
    weights = tmp_path / "first" / "pretrain" / WEIGHTS
    teacher = tmp_path / "first" / "teacher" / MODEL
    root = tmp_path / "second"
    single_stages.search_stage(root, data, supernet, SETTINGS.search, seed, weights, table)
    recorded = read_json(root / "search" / "stage.json")["settings"]
    assert recorded["pretrained"] == str(weights)
    assert recorded["latency_table"] == str(table)

    genotype = load_preset("fasterseg_student")
    other = tmp_path / "third"
    single_stages.train_stage(other, data, genotype, SETTINGS.student, seed, teacher=teacher)
    recorded = read_json(other / "student" / "stage.json")["settings"]
    assert recorded["teacher_network"] == str(teacher)
    assert "supernet" not in recorded


@pytest.mark.parametrize(
    ("keywords", "message"),
    [({"role": "pupil"}, "Received: 'pupil'"), ({"role": "teacher", "teacher": "a"}, "labels")],
)
def test_wrong_roles(tmp_path, keywords, message):
    genotype = load_preset("fasterseg_student")
    with pytest.raises(ValueError, match=message):
        single_stages.train_stage(
            tmp_path, SETTINGS.data, genotype, SETTINGS.student, 0, **keywords
        )
