"""The export tool: its output, its files, and its errors."""

import subprocess

import keras
import pytest
import tensorflow as tf
from PIL import Image

from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.files import read_json
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from tests.tools.run_tool import run_tool, sentence

CELLS = (CellGenotype(0, 8, "conv", 1, 1.0), CellGenotype(1, 8, "conv", 1, 1.0))
GENOTYPE = FasterSegGenotype("fasterseg", 2, 4, 1.0, 1.0, (BranchGenotype(8, CELLS),))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "network.keras"
    keras.utils.set_random_seed(0)
    FasterSegNetwork(GENOTYPE, 11).save(path)
    return path


def export(network, target, *arguments):
    return run_tool("export", f"--network={network}", f"--target={target}", *arguments)


def files_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_export_says_what_it_is_worth(network, camvid, tmp_path):
    finished = export(
        network,
        tmp_path / "onnx",
        *("--format=onnx", "--precision=fp16", "--input_size=64x96", "--proof_images=2"),
        *("--dataset=camvid", f"--data_dir={camvid.root}"),
    )
    assert finished.status == 0, finished
    place, proof = finished.stdout.splitlines()
    assert place == f"The export is {tmp_path}/onnx"
    assert proof.startswith("Proof on 2 images (camvid val) by onnxruntime: ")
    manifest = read_json(tmp_path / "onnx" / "manifest.json")
    assert f"--target={tmp_path}/onnx" in manifest["command"]
    assert manifest["proof"]["images"] == 2
    assert manifest["class_names"][0] == "sky"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--format=onnx", "--precision=int8", "--input_size=64x96"), "int8 needs real images"),
        (("--format=litert",), "LiteRT needs a fixed image size"),
        (
            ("--format=litert", "--precision=int8", "--input_size=64x96", "--dataset=camvid"),
            "int8 needs real images",
        ),
        (("--precision=fp16",), "A SavedModel computes in fp32"),
        (("--format=coreml",), "--format must be one of saved_model, tftrt"),
        (("--data_dir=somewhere",), "--data_dir needs --dataset"),
        (("--dataset=folder",), "'folder' are described in its folder; set --data_dir"),
        (("--dataset=camvid", "--data_dir=gone"), "The folder gone does not exist"),
        (("--proof_images=-1",), "--proof_images must be at least 0"),
    ],
)
def test_one_sentence_and_nothing_half_written(network, tmp_path, arguments, expected):
    finished = export(network, tmp_path / "run" / "1", *arguments)
    assert expected in sentence(finished)
    assert files_below(tmp_path) == []


def test_the_limit_of_megapixels(network, tmp_path):
    for folder in ("images/val", "labels/val"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        Image.new("L", (1001, 1000)).save(tmp_path / "data" / folder / "a.png")
    classes = [f"class {index}" for index in range(11)]
    (tmp_path / "data" / "dataset.yaml").write_text(f"classes: {classes}")
    data = ("--dataset=folder", f"--data_dir={tmp_path}/data")
    message = sentence(export(network, tmp_path / "1", *data, "--max_megapixels=1"))
    assert "images/val/a.png is 1000 x 1001, 1.0 megapixels, and the limit is 1; cut" in message


def test_what_is_there_is_not_replaced_unasked(network, tmp_path):
    target = tmp_path / "1"
    assert export(network, target, "--proof_images=1").status == 0
    before = {path: path.read_bytes() for path in files_below(target)}
    assert "exists; pass --overwrite" in sentence(export(network, target))
    assert {path: path.read_bytes() for path in files_below(target)} == before
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"a photo")
    message = sentence(export(network, tmp_path / "photos", "--overwrite"))
    assert "is neither a SavedModel nor another export, so it is not overwritten" in message
    assert [path.name for path in files_below(tmp_path / "photos")] == ["a.png"]


def test_a_folder_that_cannot_be_written(network):
    assert "/proc" in sentence(export(network, "/proc/exports/1", "--proof_images=1"))


def test_a_full_disk(network, tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        for arguments in ((), ("--format=onnx", "--input_size=64x96")):
            message = sentence(export(network, tmp_path / "1", *arguments))
            assert "the disk is full" in message
            assert files_below(tmp_path) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("tool", ["benchmark", "evaluate"])
def test_a_saved_model_of_someone_else(tmp_path, tool):
    module = tf.Module()
    module.double = tf.function(
        lambda numbers: 2 * numbers, input_signature=[tf.TensorSpec((None,), tf.float32)]
    )
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.double)
    data = ()
    if tool == "evaluate":
        generate(tmp_path / "data", num_train=1, num_val=1, height=64, width=96, progress=False)
        data = ("--dataset=synthetic", f"--data_dir={tmp_path}/data")
    message = sentence(run_tool(tool, f"--artefact={tmp_path}/1", *data))
    assert f"{tmp_path}/1 was not exported by" in message
