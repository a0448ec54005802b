"""Stages of a run record the same alone and in the whole road, so that both can be mixed."""

import numpy as np
import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.pipelines import run as run_module
from keras_fasterseg.pipelines.measure_latency import TABLE
from keras_fasterseg.pipelines.pretrain import WEIGHTS
from keras_fasterseg.pipelines.run import Run
from keras_fasterseg.pipelines.run_all import open_run, run_all
from keras_fasterseg.pipelines.settings import (
    DataSettings,
    LatencySettings,
    PretrainSettings,
    RunSettings,
    SupernetSettings,
    TrainSettings,
)
from keras_fasterseg.pipelines.train import MODEL
from keras_fasterseg.spaces.fasterseg.latency_costs import required_keys
from keras_fasterseg.spaces.fasterseg.presets import load_preset
from tests.data.own_files import write_pair
from tests.pipelines.describe_test import table_of

SIZE = (64, 128)
SETTINGS = RunSettings(
    data=DataSettings(synthetic_train_images=12, synthetic_val_images=1, synthetic_size=SIZE),
    supernet=SupernetSettings(4, 2, width_multipliers=(0.5, 1.0), student_width=0.5),
    latency=LatencySettings(latency_size=SIZE),
    pretrain=PretrainSettings(downsample=1),
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

    for job in (measure, pretrain, search, train, export):
        name = "measure_latency" if job is measure else job.__name__
        monkeypatch.setattr(run_module, name, job)


def new_run(root):
    """As a tool of its own makes it."""
    return Run(root, SETTINGS.data, SETTINGS.seed)


def run_whole(root):
    with pytest.raises(EnoughError):
        run_all(open_run(root, SETTINGS), SETTINGS)


def run_singly(root):
    Run(root).measure_latency(SETTINGS.supernet, SETTINGS.latency, 19)
    new_run(root).pretrain(SETTINGS.supernet, SETTINGS.pretrain)
    new_run(root).search(SETTINGS.supernet, SETTINGS.search)
    teacher = None
    for role, settings in (("teacher", SETTINGS.teacher), ("student", SETTINGS.student)):
        teacher = new_run(root).train(load_preset(f"fasterseg_{role}"), settings, role, teacher)


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
    run_singly(tmp_path / "first")
    table = tmp_path / "first" / "latency" / TABLE
    weights = tmp_path / "first" / "pretrain" / WEIGHTS
    teacher = tmp_path / "first" / "teacher" / MODEL
    root = tmp_path / "second"
    new_run(root).search(SETTINGS.supernet, SETTINGS.search, weights, table)
    recorded = read_json(root / "search" / "stage.json")["settings"]
    assert recorded["pretrained"] == str(weights)
    assert recorded["latency_table"] == str(table)

    genotype = load_preset("fasterseg_student")
    other = tmp_path / "third"
    new_run(other).train(genotype, SETTINGS.student, teacher=teacher)
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
        new_run(tmp_path).train(genotype, SETTINGS.student, **keywords)


def test_a_second_student_has_a_folder_of_its_own(tmp_path):
    genotype = load_preset("fasterseg_student")
    path = new_run(tmp_path).train(genotype, SETTINGS.student, name="student_alone")
    assert path == tmp_path / "student_alone" / MODEL
    record = read_json(tmp_path / "student_alone" / "stage.json")
    assert record["settings"]["student_genotype"] == genotype.id


def test_export_and_benchmark_need_the_stages_before(tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished stages teacher and student"):
        new_run(tmp_path).export()
    with pytest.raises(FileNotFoundError, match="no finished stage export"):
        new_run(tmp_path).benchmark(SETTINGS.benchmark)


def test_a_negative_seed_is_refused(tmp_path):
    with pytest.raises(ValueError, match="seed=-1"):
        Run(tmp_path / "run", SETTINGS.data, -1)
    assert not (tmp_path / "run").exists()


def test_what_a_file_of_the_data_set_defines_may_not_change(tmp_path):
    root = tmp_path / "yard"
    ids = np.tile(np.arange(32, dtype=np.uint8) // 16, (32, 1))
    for split in ("train", "val"):
        write_pair(root / "images" / split / "a.png", root / "labels" / split / "a.png", ids)
    data = DataSettings("folder", str(root))

    def pretrain(*lines):
        text = "\n".join(["classes: [ground, {name: lane, color: [1, 2, 3]}]", *lines])
        (root / "dataset.yaml").write_text(text, encoding="utf-8")
        Run(tmp_path / "run", data).pretrain(SETTINGS.supernet, SETTINGS.pretrain)

    pretrain()
    recorded = read_json(tmp_path / "run" / "pretrain" / "stage.json")["settings"]
    assert recorded["data_set"]["classes"] == ["ground", "lane"]
    pretrain("name: another name")
    with pytest.raises(
        ValueError, match=r"other settings \(labels\.9 of the data set was None, is 2"
    ):
        pretrain("ignore_index: [9, 255]")
    with pytest.raises(
        ValueError, match=r"\(mean of the data set was \[0\.485, .*is \[0\.5, 0\.5, "
    ):
        pretrain("mean: [0.5, 0.5, 0.5]", "std: [0.5, 0.5, 0.5]")


def test_nothing_more_is_recorded_of_data_sets_without_such_a_file(tmp_path):
    new_run(tmp_path).pretrain(SETTINGS.supernet, SETTINGS.pretrain)
    recorded = read_json(tmp_path / "pretrain" / "stage.json")["settings"]
    assert set(recorded) == {"data", "supernet", "seed", "pretrain"}
