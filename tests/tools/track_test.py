"""Video object segmentation as a user calls its tools, from training to scores."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.small_genotype import GENOTYPE
from tests.tools.run_tool import run_tool, sentence
from tests.video_objects.lively_network import lively_network


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run; its data are generated."""
    folder = tmp_path_factory.mktemp("video")
    GENOTYPE.save(folder / "genotype.json")
    finished = run_tool(
        *("train_video", f"--genotype={folder}/genotype.json", f"--workdir={folder}/run"),
        *("--generated_train=1", "--generated_val=1", "--generated_frames=3"),
        *("--generated_size=64x96", "--input_size=64x96", "--epochs=1", "--steps_per_epoch=1"),
        *("--batch_size=1", "--max_objects=4"),
    )
    assert finished.status == 0, finished.stderr
    assert finished.stdout.strip().endswith(f"{folder}/run/video/network.keras")
    assert finished.stdout.splitlines()[-1].startswith("J&F ")
    return folder / "run"


def test_from_the_network_to_its_scores(run, tmp_path):
    network, data = run / "video" / "network.keras", f"--data_dir={run}/videos"
    exported = run_tool(
        *("export", f"--network={network}", f"--target={tmp_path}/onnx", "--format=onnx", data)
    )
    assert exported.status == 0, exported.stderr
    assert "Compared with the Keras model on 3 frames (val_0000 of" in exported.stdout
    tracked = run_tool(
        *("track", f"--artefact={tmp_path}/onnx", data, f"--output={tmp_path}/masks")
    )
    assert tracked.status == 0, tracked.stderr
    lines = tracked.stdout.splitlines()
    assert lines[0] == f"Wrote the masks of 3 frames of 1 video to {tmp_path}/masks"
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "End to end",
        "Network and tracker",
        "Network with resizing and masks",
    ]
    scored = run_tool(
        *("evaluate", "--task=video", f"--results={tmp_path}/masks", data),
        f"--output={tmp_path}/scores.json",
    )
    assert scored.status == 0, scored.stderr
    assert scored.stdout.splitlines()[-1].startswith("J&F ")
    assert 0 <= json.loads((tmp_path / "scores.json").read_text("utf-8"))["j_and_f"] <= 1


def test_wrong_flags_end_with_one_sentence(run, tmp_path):
    network = f"--artefact={run}/video/network.keras"
    out = f"--output={tmp_path}/out"
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.new("RGB", (96, 64)).save(folder / "0.png")
    Image.fromarray(np.zeros((64, 96), np.uint8)).save(tmp_path / "empty.png")
    Image.fromarray(np.ones((8, 9), np.uint8)).save(tmp_path / "small.png")
    cases = {
        (out,): "Give either --video, or --data_dir",
        (
            out,
            f"--video={folder}",
            f"--data_dir={run}/videos",
        ): "Give either --video, or --data_dir",
        (out, f"--data_dir={run}/videos", "--first_mask=a.png"): "--first_mask belongs to --video",
        (out, f"--video={tmp_path}/none"): "does not exist",
        (out, f"--video={folder}", f"--first_mask={tmp_path}/empty.png"): "shows no object",
        (out, f"--video={folder}", f"--first_mask={tmp_path}/small.png"): "must have its size",
        (f"--output={tmp_path}", f"--video={folder}", "--overwrite"): "would be replaced",
        (f"--output={run}/videos", f"--data_dir={run}/videos"): "would be replaced",
        (out, f"--data_dir={run}"): "ImageSets",
    }
    for flags, words in cases.items():
        assert words in sentence(run_tool("track", network, *flags)), flags
    assert not (tmp_path / "out").exists() or not [*(tmp_path / "out").iterdir()]
    said = sentence(run_tool("predict", network, f"--images={folder}", out))
    assert "is not a trained network of this package" in said


def test_only_own_results_are_replaced(tmp_path):
    lively_network().save(tmp_path / "network.keras")
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.new("RGB", (96, 64)).save(folder / "0.png")
    call = (
        *("track", f"--artefact={tmp_path}/network.keras", f"--video={folder}"),
        *(f"--output={tmp_path}/out", "--nooverlays"),
    )
    assert run_tool(*call).status == 0
    assert "pass --overwrite" in sentence(run_tool(*call))
    assert run_tool(*call, "--overwrite").status == 0
    (tmp_path / "out" / "track.json").unlink()
    said = sentence(run_tool(*call, "--overwrite"))
    assert "was not written by tools.track" in said
