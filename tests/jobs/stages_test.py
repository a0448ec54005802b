"""Stages of a run record the same alone and in the whole road, so that both can be mixed."""

import dataclasses
import hashlib
import shutil
import time
import zipfile

import numpy as np
import pytest
from absl import logging
from PIL import Image

from keras_fasterseg.files import read_json, write_json
from keras_fasterseg.jobs.benchmark import benchmark_stage
from keras_fasterseg.jobs.export_stage import export_stage
from keras_fasterseg.jobs.measure_latency import latency_stage
from keras_fasterseg.jobs.pretrain import pretrain_stage
from keras_fasterseg.jobs.run_all import run_all
from keras_fasterseg.jobs.search import search_stage
from keras_fasterseg.jobs.train import training_stage
from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.run.names import LATENCY_TABLE, NETWORK, SUPERNET_WEIGHTS
from keras_fasterseg.run.run import Run
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.stages import DataSettings, LatencySettings, RunSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.space import FasterSegSpace
from keras_fasterseg.spaces.joint.space import JointSpace
from keras_fasterseg.spaces.registry import load_preset
from tests.data.own_files import write_pair
from tests.reports.describe_test import table_of
from tests.run.workdir_test import save_checkpoint
from tests.spaces.joint.tiny import SETTINGS as JOINT_SETTINGS

SIZE = (64, 128)
SETTINGS = RunSettings(
    data=DataSettings(synthetic_train_images=12, synthetic_val_images=1, synthetic_size=SIZE),
    space=FasterSegSpace(FasterSegSettings(4, 2, width_multipliers=(0.5, 1.0), student_width=0.5)),
    latency=LatencySettings(latency_size=SIZE),
    pretrain=PretrainSettings(downsample=1, batch_size=1),
    search=SearchSettings(downsample=1, batch_size=1),
    teacher=TrainSettings(epochs=2),
    student=TrainSettings(epochs=3),
    seed=4,
)
ROLES = ("teacher", "student")
STAGES = ("latency", "pretrain", "search", "teacher", "student")


class EnoughError(Exception):
    """Ends the whole road after its last stage that is a single one too."""


@pytest.fixture(autouse=True)
def _jobs_without_work(monkeypatch):
    """Jobs that leave the files which the next stage reads, and compute nothing."""

    def measure_latency(folder, space, settings, num_classes):
        keys = space.required_keys(settings.latency_size, num_classes)
        table_of(keys, SIZE, space.name).save(folder / LATENCY_TABLE)

    def pretrain(folder, *arguments):
        (folder / SUPERNET_WEIGHTS).write_text("", encoding="utf-8")

    def search(folder, *arguments):
        for role in ("teacher", "student"):
            load_preset(f"fasterseg_{role}").save(folder / f"{role}.json")

    def train(folder, *arguments):
        save_network(folder / NETWORK, b"weights")

    def export(*arguments, **keywords):
        raise EnoughError

    for job in (measure_latency, pretrain, search, train):
        monkeypatch.setattr(f"keras_fasterseg.jobs.{job.__name__}.{job.__name__}", job)
    monkeypatch.setattr("keras_fasterseg.jobs.export_stage.export", export)


def save_network(path, weights):
    """Writes an archive as a trained network's file is one."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", f'{{"date_saved": "{time.time_ns()}"}}')
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", weights)


def new_run(root):
    """As a tool of its own makes it."""
    return Run(root, SETTINGS.data, SETTINGS.seed)


def run_whole(root):
    with pytest.raises(EnoughError):
        run_all(new_run(root), SETTINGS)


def run_singly(root):
    latency_stage(Run(root), SETTINGS.space, SETTINGS.latency, 19)
    pretrain_stage(new_run(root), SETTINGS.space, SETTINGS.pretrain)
    search_stage(new_run(root), SETTINGS.space, SETTINGS.search)
    teacher = None
    for role, settings in (("teacher", SETTINGS.teacher), ("student", SETTINGS.student)):
        teacher = training_stage(
            new_run(root), load_preset(f"fasterseg_{role}"), settings, role, teacher
        )


def records(root):
    return {name: read_json(root / name / "stage.json") for name in STAGES}


@pytest.mark.backends("tensorflow", "jax")
def test_the_whole_road_and_single_stages_record_the_same(tmp_path):
    run_whole(tmp_path / "whole")
    run_singly(tmp_path / "singly")
    expected, recorded = records(tmp_path / "whole"), records(tmp_path / "singly")
    for name in STAGES:
        assert recorded[name]["settings"] == expected[name]["settings"], name


@pytest.mark.backends("tensorflow", "jax")
@pytest.mark.parametrize(("first", "second"), [(run_whole, run_singly), (run_singly, run_whole)])
def test_either_goes_on_where_the_other_ended(tmp_path, first, second):
    first(tmp_path)
    before = records(tmp_path)
    second(tmp_path)
    assert records(tmp_path) == before


@pytest.mark.backends("tensorflow", "jax")
def test_a_table_serves_searches_with_other_objectives_but_not_other_operations(tmp_path):
    latency_stage(Run(tmp_path), JointSpace(JOINT_SETTINGS), SETTINGS.latency, 19)
    flops = dataclasses.replace(JOINT_SETTINGS, cost="flops", operation_regularization=0.0)
    search_stage(new_run(tmp_path), JointSpace(flops), SETTINGS.search)
    wider = JointSpace(dataclasses.replace(JOINT_SETTINGS, late_filters=24))
    with pytest.raises(ValueError, match="was made for another supernet"):
        search_stage(new_run(tmp_path), wider, SETTINGS.search)


@pytest.mark.backends("tensorflow", "jax")
def test_the_runs_own_table_is_compared_with_its_own_threads(tmp_path, monkeypatch):
    asked = []

    def load(path, size=None, threads=None, space=None):
        asked.append(threads)
        return LatencyTable.load(path)

    monkeypatch.setattr("keras_fasterseg.jobs.search.load_table", load)
    settings = dataclasses.replace(SETTINGS.latency, latency_threads=1)
    latency_stage(Run(tmp_path), SETTINGS.space, settings, 19)
    pretrain_stage(new_run(tmp_path), SETTINGS.space, SETTINGS.pretrain)
    search_stage(new_run(tmp_path), SETTINGS.space, SETTINGS.search)
    assert asked == [1]


@pytest.mark.backends("tensorflow", "jax")
def test_files_from_elsewhere_are_recorded_by_content(tmp_path):
    run_singly(tmp_path / "first")
    table = tmp_path / "first" / "latency" / LATENCY_TABLE
    weights = tmp_path / "first" / "pretrain" / SUPERNET_WEIGHTS
    teacher = tmp_path / "first" / "teacher" / NETWORK
    root = tmp_path / "second"
    search_stage(new_run(root), SETTINGS.space, SETTINGS.search, weights, table)
    recorded = read_json(root / "search" / "stage.json")["inputs"]
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    expected = {"path": str(weights), "sha256": digest, "files": 0}
    assert recorded["the pretrained weights"] == expected
    assert recorded["the latency table"]["path"] == str(table)
    # Elsewhere, they are the same; a table may be calibrated later.
    for path in (weights, table):
        shutil.copy(path, tmp_path / path.name)
    calibrated = LatencyTable.load(table).calibrated(Calibration(2.0, 0.0, 4))
    calibrated.save(tmp_path / LATENCY_TABLE)
    moved = (tmp_path / SUPERNET_WEIGHTS, tmp_path / LATENCY_TABLE)
    search_stage(new_run(root), SETTINGS.space, SETTINGS.search, *moved)
    (tmp_path / SUPERNET_WEIGHTS).write_text("others", encoding="utf-8")
    with pytest.raises(ValueError, match="finished with other inputs: the pretrained weights: ch"):
        search_stage(new_run(root), SETTINGS.space, SETTINGS.search, *moved)

    genotype = load_preset("fasterseg_student")
    other = tmp_path / "third"
    training_stage(new_run(other), genotype, SETTINGS.student, teacher=teacher)
    recorded = read_json(other / "student" / "stage.json")
    assert recorded["inputs"]["the teacher"]["path"] == str(teacher)
    assert "supernet" not in recorded["settings"]
    # Saved again it is the same network; with other weights it is not.
    save_network(teacher, b"weights")
    training_stage(new_run(other), genotype, SETTINGS.student, teacher=teacher)
    save_network(teacher, b"others")
    with pytest.raises(ValueError, match="finished with other inputs: the teacher: changed"):
        training_stage(new_run(other), genotype, SETTINGS.student, teacher=teacher)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [({"role": "pupil"}, "Received: 'pupil'"), ({"role": "teacher", "teacher": "a"}, "labels")],
)
def test_wrong_roles(tmp_path, keywords, message):
    genotype = load_preset("fasterseg_student")
    with pytest.raises(ValueError, match=message):
        training_stage(new_run(tmp_path), genotype, SETTINGS.student, **keywords)


def test_a_second_student_has_a_folder_of_its_own(tmp_path):
    genotype = load_preset("fasterseg_student")
    path = training_stage(new_run(tmp_path), genotype, SETTINGS.student, name="student_alone")
    assert path == tmp_path / "student_alone" / NETWORK
    record = read_json(tmp_path / "student_alone" / "stage.json")
    assert record["settings"]["student_genotype"] == genotype.id


def test_export_and_benchmark_need_the_stages_before(tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished stages teacher and student"):
        export_stage(new_run(tmp_path), ROLES)
    with pytest.raises(FileNotFoundError, match="no finished stage export"):
        benchmark_stage(new_run(tmp_path), SETTINGS.benchmark, ROLES)


def test_a_negative_seed_is_refused(tmp_path):
    with pytest.raises(ValueError, match="seed=-1"):
        Run(tmp_path / "run", SETTINGS.data, -1)
    assert not (tmp_path / "run").exists()


@pytest.mark.backends("tensorflow", "jax")
def test_what_a_file_of_the_data_set_defines_may_not_change(tmp_path):
    root = tmp_path / "yard"
    ids = np.tile(np.arange(32, dtype=np.uint8) // 16, (32, 1))
    for split, name in (("train", "a"), ("train", "b"), ("train", "c"), ("val", "a")):
        image, label = (root / kind / split / f"{name}.png" for kind in ("images", "labels"))
        write_pair(image, label, ids)
    data = DataSettings("folder", str(root))

    def pretrain(*lines):
        text = "\n".join(["classes: [ground, {name: lane, color: [1, 2, 3]}]", *lines])
        (root / "dataset.yaml").write_text(text, encoding="utf-8")
        pretrain_stage(Run(tmp_path / "run", data), SETTINGS.space, SETTINGS.pretrain)

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


def write_yard(root, *names):
    ids = np.tile(np.arange(128, dtype=np.uint8) // 64, (128, 1))
    for name in names:
        for split in ("train", "val"):
            image, label = (root / kind / split / f"{name}.png" for kind in ("images", "labels"))
            write_pair(image, label, ids)
    (root / "dataset.yaml").write_text("classes: [ground, lane]", encoding="utf-8")


@pytest.mark.backends("tensorflow", "jax")
@pytest.mark.parametrize("finished", [True, False])
def test_changed_data_are_noticed_by_their_content(tmp_path, monkeypatch, finished):
    yard = tmp_path / "yard"
    write_yard(yard, "a", "b", "c")

    def stop(folder, *arguments):
        save_checkpoint(folder)
        raise KeyboardInterrupt

    def pretrain(root):
        data = DataSettings("folder", str(root))
        pretrain_stage(Run(tmp_path / "run", data), SETTINGS.space, SETTINGS.pretrain)

    if finished:
        pretrain(yard)
    else:
        with monkeypatch.context() as patch:
            patch.setattr("keras_fasterseg.jobs.pretrain.pretrain", stop)
            with pytest.raises(KeyboardInterrupt):
                pretrain(yard)
    state = "finished" if finished else "started"
    label = yard / "labels" / "train" / "a.png"
    before = label.read_bytes()
    Image.fromarray(np.tile(np.arange(128, dtype=np.uint8) % 2, (128, 1))).save(label)
    write_yard(yard, "d")
    with pytest.raises(
        ValueError,
        match=f"pretrain was {state} with other inputs: the split "
        f"'train' in {yard}: 1 changed \\(labels/train/a.png\\); 2 new "
        r"\(images/train/d.png, labels/train/d.png\)\. Restore the former inputs",
    ):
        pretrain(yard)
    # What it was is accepted, wherever it lies and whenever it was written.
    label.write_bytes(before)
    for kind in ("images", "labels"):
        (yard / kind / "train" / "d.png").unlink()
    # Pretraining reads nothing of val, which still has one more image.
    yard.rename(tmp_path / "moved")
    pretrain(tmp_path / "moved")


@pytest.mark.backends("tensorflow", "jax")
def test_a_run_of_an_earlier_version_is_resumed_with_a_warning(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    pretrain_stage(new_run(tmp_path), SETTINGS.space, SETTINGS.pretrain)
    path = tmp_path / "pretrain" / "stage.json"
    settings = read_json(path)["settings"]
    # As such a version wrote it: without classes, with paths, and without what has come since.
    del settings["classes"], settings["data"]["class_order"]
    settings["data"]["data_dir"] = None
    write_json(path, {"settings": settings, "minutes": 1.0})
    pretrain_stage(new_run(tmp_path), SETTINGS.space, SETTINGS.pretrain)
    assert "by an earlier version, which recorded no digests" in caplog.text
    settings["pretrain"]["epochs"] = 7
    write_json(path, {"settings": settings, "minutes": 1.0})
    with pytest.raises(ValueError, match="--pretrain_epochs was 7, is 20"):
        pretrain_stage(new_run(tmp_path), SETTINGS.space, SETTINGS.pretrain)


@pytest.mark.backends("tensorflow", "jax")
def test_pretrained_weights_of_other_classes_are_refused(tmp_path):
    write_yard(tmp_path / "yard", "a", "b", "c")
    data = DataSettings("folder", str(tmp_path / "yard"))
    pretrain_stage(Run(tmp_path / "first", data), SETTINGS.space, SETTINGS.pretrain)
    latency_stage(Run(tmp_path / "second"), SETTINGS.space, SETTINGS.latency, 2)
    turned = Run(tmp_path / "second", dataclasses.replace(data, class_order="lane,ground"))
    weights = tmp_path / "first" / "pretrain" / SUPERNET_WEIGHTS
    with pytest.raises(ValueError, match=r"has 2 classes \(ground, lane\), .*another order"):
        search_stage(turned, SETTINGS.space, SETTINGS.search, weights)


def train_to(root, monkeypatch, epochs, stopped=False, **settings):
    def job(folder, *arguments):
        save_network(folder / NETWORK, str(epochs).encode())
        save_checkpoint(folder, stopped=stopped)

    monkeypatch.setattr("keras_fasterseg.jobs.train.train", job)
    genotype = load_preset("fasterseg_student")
    training_stage(new_run(root), genotype, TrainSettings(epochs=epochs, **settings))
    return read_json(root / "student" / "stage.json")["settings"]["student"]["epochs"]


def test_a_finished_training_is_prolonged(tmp_path, monkeypatch):
    assert train_to(tmp_path, monkeypatch, 3) == 3
    assert len(list((tmp_path / "student" / "checkpoints").iterdir())) == 1
    assert train_to(tmp_path, monkeypatch, 5) == 5
    assert (tmp_path / "student" / NETWORK).read_bytes().count(b"5")
    with pytest.raises(ValueError, match="--student_epochs was 5, is 4"):
        train_to(tmp_path, monkeypatch, 4)
    with pytest.raises(ValueError, match=r"--student_momentum was 0\.9, is 0\.8"):
        train_to(tmp_path, monkeypatch, 6, momentum=0.8)


def test_a_refused_prolonging_leaves_the_training_finished(tmp_path, monkeypatch):
    train_to(tmp_path, monkeypatch, 3)
    label = new_run(tmp_path).source.samples("train")[0].label
    before = label.read_bytes()
    Image.fromarray(np.tile(np.arange(2, dtype=np.uint8), (SIZE[0], SIZE[1] // 2))).save(label)
    with pytest.raises(ValueError, match="finished with other inputs: the split 'train' in"):
        train_to(tmp_path, monkeypatch, 5)
    label.write_bytes(before)
    assert train_to(tmp_path, monkeypatch, 3) == 3
    # Whoever has read the network would have another's.
    run = new_run(tmp_path)
    inputs = run.networks(["student"])
    run.workdir.stage("export", {}, lambda folder: None, inputs=inputs)
    with pytest.raises(ValueError, match=f"delete them: {tmp_path / 'export'}. Received: --st"):
        train_to(tmp_path, monkeypatch, 5)
    assert train_to(tmp_path, monkeypatch, 3) == 3


def test_a_path_that_leads_nowhere_is_no_input_of_a_finished_stage(tmp_path):
    genotype = load_preset("fasterseg_student")
    training_stage(new_run(tmp_path), genotype, SETTINGS.student)
    typo = dataclasses.replace(SETTINGS.student, initial_weights=str(tmp_path / "typo.keras"))
    with pytest.raises(ValueError, match="other inputs: the initial weights: missing"):
        training_stage(new_run(tmp_path), genotype, typo)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "polynomial"}, "its polynomial schedule has reached a learning rate of zero"),
        ({"schedule": "cosine"}, "its cosine schedule has reached a learning rate of zero"),
        ({"stopped": True}, "it ended early because of --student_patience"),
    ],
)
def test_what_cannot_be_prolonged_says_how_to_begin_with_its_weights(
    tmp_path, monkeypatch, options, message
):
    train_to(tmp_path, monkeypatch, 3, **options)
    advice = (
        f"--student_initial_weights={tmp_path / 'student' / NETWORK} and choose another workdir"
    )
    with pytest.raises(ValueError, match=f"{message}.*{advice}.*Received: --student_epochs=4"):
        train_to(tmp_path, monkeypatch, 4, **options)


@pytest.mark.backends("tensorflow", "jax")
def test_nothing_more_is_recorded_of_data_sets_without_such_a_file(tmp_path):
    pretrain_stage(new_run(tmp_path), SETTINGS.space, SETTINGS.pretrain)
    recorded = read_json(tmp_path / "pretrain" / "stage.json")["settings"]
    assert set(recorded) == {"data", "classes", "supernet", "held_out", "seed", "pretrain"}
