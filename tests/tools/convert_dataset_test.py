"""The conversion tool: its output, the use of the shards, and its errors."""

import os
import subprocess

import numpy as np
import pytest

from keras_fasterseg.data.synthetic_streets import generate
from tests.tools import tiny_run
from tests.tools.export_test import GENOTYPE
from tests.tools.run_tool import run_tool, sentence


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    return generate(root, num_train=3, num_val=2, height=64, width=96, progress=False).root


def convert(streets, target, *arguments):
    return run_tool(
        "convert_dataset",
        *("--dataset=synthetic", f"--data_dir={streets}", f"--output={target}"),
        *arguments,
    )


def test_it_converts_says_so_and_verifies(streets, tmp_path):
    finished = convert(streets, tmp_path, "--encoding=raw", "--shard_mb=0.03")
    assert finished.status == 0, finished
    assert finished.stdout.splitlines() == [
        "train: 3 images, 0.1 MB, shards: 2",
        "val: 2 images, 0.0 MB, shards: 1",
        f"Use it with --dataset=synthetic --data_dir={tmp_path}",
    ]
    verified = run_tool("convert_dataset", f"--output={tmp_path}", "--verify")
    assert verified.stdout == f"All 3 shards in {tmp_path} match their digests.\n"
    path = tmp_path / "val-00000.tfrecord"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert f"The shard {path} has changed" in sentence(
        run_tool("convert_dataset", f"--output={tmp_path}", "--verify")
    )


@pytest.mark.slow
def test_a_training_is_the_same_on_shards(streets, tmp_path):
    assert convert(streets, tmp_path / "shards").status == 0
    GENOTYPE.save(tmp_path / "genotype.json")
    losses = []
    for number, folder in enumerate((streets, tmp_path / "shards")):
        workdir = tmp_path / f"run{number}"
        finished = run_tool(
            "train",
            *(f"--workdir={workdir}", f"--genotype={tmp_path}/genotype.json"),
            *("--dataset=synthetic", f"--data_dir={folder}", *tiny_run.STUDENT),
        )
        assert finished.status == 0, finished
        rows = np.genfromtxt(workdir / "student" / "log.csv", delimiter=",", names=True)
        losses.append(np.atleast_1d(rows["loss"]))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


def test_a_truncated_shard_ends_a_training_with_its_name(streets, tmp_path):
    assert convert(streets, tmp_path / "shards").status == 0
    path = tmp_path / "shards" / "train-00000.tfrecord"
    path.write_bytes(path.read_bytes()[:-1])
    finished = run_tool(
        "train",
        *(f"--workdir={tmp_path}/run", "--genotype=fasterseg_student", "--dataset=synthetic"),
        *(f"--data_dir={tmp_path}/shards", *tiny_run.STUDENT),
    )
    assert f"The shard {path} has " in sentence(finished)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--encoding=jpeg",), "--encoding must be one of png, raw. Received: --encoding=jpeg"),
        (("--downsample=0",), "--downsample must be at least 1"),
        (("--shard_mb=0",), "--shard_mb must be above 0"),
        (("--splits=train,test",), "has no split 'test'; it has train, val"),
        (("--downsample=65",), "downsample must be between 1 and the size of the image"),
        (("--dataset=camvid",), "does not contain CamVid"),
    ],
)
def test_one_sentence_and_no_index(streets, tmp_path, arguments, words):
    assert words in sentence(convert(streets, tmp_path / "shards", *arguments))
    assert not list(tmp_path.rglob("index.json"))
    assert not list(tmp_path.rglob("*.tfrecord"))


def test_what_is_to_be_converted_must_be_said(tmp_path):
    finished = run_tool("convert_dataset", f"--output={tmp_path}", "--dataset=camvid")
    assert "Nothing to convert; set --dataset and --data_dir" in sentence(finished)
    finished = run_tool("convert_dataset", f"--output={tmp_path}/gone", "--verify")
    assert f"The folder {tmp_path}/gone does not exist" in sentence(finished)


def test_a_folder_that_cannot_be_written(streets, tmp_path):
    if os.geteuid() == 0:
        # Root may write everywhere but where the kernel makes up the files.
        target, words = "/proc/shards", "The folder /proc/shards cannot be created"
    else:
        target, words = tmp_path, "is not writable; choose another one"
        tmp_path.chmod(0o555)
    message = sentence(convert(streets, target))
    tmp_path.chmod(0o755)
    assert words in message


def test_a_full_disk_and_going_on_when_there_is_room(streets, tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=80k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    arguments = (streets, tmp_path / "shards", "--encoding=raw", "--shard_mb=0.01")
    try:
        assert "the disk is full" in sentence(convert(*arguments))
        left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
        assert left == {"unfinished.json", "train-00000.tfrecord", "train-00001.tfrecord"}
        room = ["mount", "-o", "remount,size=1m", str(tmp_path)]
        subprocess.run(room, capture_output=True, check=True)
        finished = convert(*arguments)
        assert finished.status == 0, finished
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
