"""The tools of single stages, one after the other in one workdir."""

import tempfile

import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.jobs.train import load_network
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from tests.tools import tiny_run
from tests.tools.run_tool import Finished, run_tool, sentence

EXPORTS = pytest.mark.backends("tensorflow")


def succeed(name, *arguments) -> Finished:
    finished = run_tool(name, *arguments)
    assert finished.status == 0, finished.stderr
    return finished


def tiny_genotype() -> FasterSegGenotype:
    """A network of three cells."""
    cells = (
        CellGenotype(0, 8, "conv", 1, 1.0),
        CellGenotype(1, 8, "conv", 2, 1.0),
        CellGenotype(2, 16, "conv", 1, 1.0),
    )
    return FasterSegGenotype("fasterseg", 2, 4, 1.0, 1.0, (BranchGenotype(16, cells),))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A workdir after measuring, pretraining and training a network of our own."""
    root = tmp_path_factory.mktemp("run")
    workdir = f"--workdir={root}"
    succeed("measure_latency", workdir, *tiny_run.ONE_WIDTH, *tiny_run.LATENCY)
    space = (*tiny_run.DATA, *tiny_run.ONE_WIDTH)
    succeed("pretrain_supernet", workdir, *space, *tiny_run.PRETRAIN)
    tiny_genotype().save(root / "mine.json")
    arguments = (workdir, f"--genotype={root}/mine.json", *tiny_run.DATA, *tiny_run.STUDENT)
    assert "mIoU" in succeed("train", *arguments).stdout
    return root


@pytest.mark.backends("tensorflow", "jax")
def test_each_stage_leaves_its_files(run):
    table = LatencyTable.load(run / "latency" / "latency_table.json")
    assert table.metadata.input_size == (64, 128)
    assert (run / "pretrain" / "supernet.weights.h5").is_file()
    assert load_network(run / "student" / "network.keras").genotype == tiny_genotype()


@pytest.mark.backends("tensorflow", "jax")
@pytest.mark.slow
def test_search_and_both_networks(run):
    workdir = f"--workdir={run}"
    succeed("search", workdir, *tiny_run.DATA, *tiny_run.ONE_WIDTH, *tiny_run.SEARCH)
    for role in ("teacher", "student"):
        assert FasterSegGenotype.load(run / "search" / f"{role}.json").base_filters == 2
    teacher = (f"--genotype={run}/search/teacher.json", "--role=teacher", *tiny_run.TEACHER)
    succeed("train", workdir, *tiny_run.DATA, *teacher)
    with tempfile.TemporaryDirectory() as other:
        genotype, teacher = f"{run}/search/student.json", f"{run}/teacher/network.keras"
        arguments = (f"--workdir={other}", f"--genotype={genotype}", f"--teacher={teacher}")
        succeed("train", *arguments, *tiny_run.DATA, *tiny_run.STUDENT)


@pytest.mark.backends("tensorflow", "jax")
def test_a_finished_stage_is_not_done_again(run):
    weights = run / "pretrain" / "supernet.weights.h5"
    before = weights.stat().st_mtime_ns
    arguments = (f"--workdir={run}", *tiny_run.DATA, *tiny_run.ONE_WIDTH, *tiny_run.PRETRAIN)
    assert str(weights) in succeed("pretrain_supernet", *arguments).stdout
    assert weights.stat().st_mtime_ns == before
    message = sentence(run_tool("pretrain_supernet", *arguments, "--pretrain_batch_size=2"))
    assert "--pretrain_batch_size was 1, is 2" in message


@pytest.mark.backends("tensorflow", "jax")
def test_search_needs_its_stages_or_files(run, tmp_path):
    space = (*tiny_run.DATA, *tiny_run.ONE_WIDTH, *tiny_run.SEARCH)
    workdir, data = f"--workdir={tmp_path}/other", f"--data_dir={run}/data"
    message = sentence(run_tool("search", workdir, data, *space))
    assert "no finished stage latency; run `python -m tools.measure_latency`" in message
    table = f"--latency_table={run}/latency/latency_table.json"
    message = sentence(run_tool("search", workdir, data, *space, table))
    assert "no finished stage pretrain; run `python -m tools.pretrain_supernet`" in message
    message = sentence(run_tool("search", workdir, data, *space, table, "--pretrained=gone.h5"))
    assert "The file of pretrained weights gone.h5 does not exist" in message
    pretrained = f"--pretrained={run}/pretrain/supernet.weights.h5"
    wider = ("--base_filters=8", table, pretrained)
    assert "operations of this search space" in sentence(
        run_tool("search", workdir, data, *space, *wider)
    )
    message = sentence(run_tool("search", f"--workdir={run}", *space, "--base_filters=8"))
    assert "was made for another supernet" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--genotype=gone.json",), "'gone.json' is neither a preset"),
        (
            ("--genotype=fasterseg_student", "--teacher=gone.keras"),
            "The trained teacher gone.keras does not exist",
        ),
        (
            ("--genotype=fasterseg_teacher", "--role=teacher", "--teacher=gone.keras"),
            "A teacher learns from labels only",
        ),
        (("--genotype=fasterseg_student", "--role=pupil"), "--role"),
        (("--genotype=fasterseg_student", "--dataset=camvid"), "set --data_dir"),
        (("--genotype=fasterseg_student", "--data_dir=gone"), "folder gone does not exist"),
        (("--genotype=fasterseg_student", "--student_crop_size=100x100"), "a multiple of 32"),
    ],
)
def test_wrong_training(tmp_path, arguments, message):
    finished = run_tool("train", f"--workdir={tmp_path}", *tiny_run.DATA, *arguments)
    assert message in sentence(finished)


def test_workdir_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    finished = run_tool("measure_latency", f"--workdir={tmp_path}/file/run")
    assert f"The workdir {tmp_path}/file/run cannot be created" in sentence(finished)


class TestTrainedNetwork:
    """Tools that use `network.keras`: export, evaluation and benchmark."""

    @pytest.fixture(scope="class")
    def saved_model(self, run):
        target = run / "deployed" / "1"
        network = run / "student" / "network.keras"
        arguments = (f"--network={network}", f"--target={target}", "--dataset=synthetic")
        finished = succeed("export", *arguments)
        assert str(target) in finished.stdout
        return target

    @EXPORTS
    def test_export(self, run, saved_model):
        metadata = read_json(saved_model / "assets.extra" / "metadata.json")
        assert metadata["class_names"][:2] == ["road", "sidewalk"]
        assert metadata["genotype"] == tiny_genotype().to_json()

    @EXPORTS
    def test_export_overwrites_on_demand_only(self, run, saved_model):
        arguments = (f"--network={run}/student/network.keras", f"--target={saved_model}")
        assert f"{saved_model} exists" in sentence(run_tool("export", *arguments))
        succeed("export", *arguments, "--overwrite", "--dataset=synthetic")

    @EXPORTS
    def test_export_with_the_names_of_other_classes(self, run, tmp_path):
        arguments = (f"--network={run}/student/network.keras", f"--target={tmp_path}/1")
        message = sentence(run_tool("export", *arguments, "--dataset=camvid"))
        assert "has 19 classes (road, sidewalk" in message
        assert not (tmp_path / "1").exists()

    @EXPORTS
    def test_export_of_nothing(self, tmp_path):
        message = sentence(run_tool("export", "--network=gone.keras", f"--target={tmp_path}/1"))
        assert "The trained network gone.keras does not exist" in message

    @EXPORTS
    def test_scores_agree_with_those_of_training(self, run, saved_model, tmp_path):
        expected = read_json(run / "student" / "evaluation.json")
        for artefact in (run / "student" / "network.keras", saved_model):
            output = tmp_path / "scores.json"
            finished = succeed(
                "evaluate", f"--artefact={artefact}", f"--data_dir={run}/data", f"--output={output}"
            )
            result = read_json(output)
            assert result["miou"] == pytest.approx(expected["miou"], abs=1e-3)
            assert result["num_images"] == 2
            assert f"mIoU {100 * result['miou']:.2f} %, 2 images of val" in finished.stdout
            assert "motorcycle" in finished.stdout

    @pytest.mark.backends("tensorflow", "jax")
    def test_another_split(self, run):
        arguments = (f"--artefact={run}/student/network.keras", f"--data_dir={run}/data")
        finished = succeed("evaluate", *arguments, "--split=train")
        assert "4 images of train" in finished.stdout
        message = sentence(run_tool("evaluate", *arguments, "--split=test"))
        assert "no split 'test'" in message

    @pytest.mark.backends("tensorflow", "jax")
    def test_evaluation_of_nothing(self, run):
        message = sentence(run_tool("evaluate", "--artefact=gone", f"--data_dir={run}/data"))
        assert "gone" in message
        message = sentence(run_tool("evaluate", "--artefact=gone"))
        assert "--data_dir is not set" in message

    @EXPORTS
    @pytest.mark.slow
    def test_benchmark(self, saved_model, tmp_path):
        output = tmp_path / "speed.json"
        finished = succeed(
            "benchmark",
            "--allow_load",
            f"--artefact={saved_model}",
            "--input_size=64x128",
            "--repetitions=3",
            "--seconds=0",
            "--warmup=1",
            f"--output={output}",
        )
        result = read_json(output)
        assert result["fps"] == pytest.approx(1000 / result["times"]["p50_ms"])
        for percentile in ("p50", "p90", "p99"):
            assert f"{percentile} {result['times'][f'{percentile}_ms']:.3f} ms" in finished.stdout
        assert f"FPS {result['fps']:.1f}" in finished.stdout
        assert "batch 1 of 64x128; 3 calls after 1 untimed ones" in finished.stdout

    @EXPORTS
    def test_benchmark_that_cannot_be(self, saved_model):
        message = sentence(run_tool("benchmark", f"--artefact={saved_model}", "--batch_size=0"))
        assert "--batch_size must be at least 1" in message
