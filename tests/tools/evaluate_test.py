"""The scoring tool: official scores, label maps for the test server, passes, masks of videos."""

import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.files import read_json
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from tests.jobs.evaluate_video_test import write_davis, write_masks
from tests.tools.run_tool import run_tool, sentence

CELLS = (CellGenotype(0, 8, "conv", 1, 1.0), CellGenotype(1, 8, "conv", 1, 1.0))
GENOTYPE = FasterSegGenotype("fasterseg", 2, 4, 1.0, 1.0, (BranchGenotype(8, CELLS),))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Generated streets, a split without labels, and a network with random weights."""
    root = tmp_path_factory.mktemp("cityscapes")
    generate(root / "data", num_train=1, num_val=2, height=64, width=96, progress=False)
    images = root / "data" / "leftImg8bit"
    shutil.copytree(images / "val", images / "test")
    keras.utils.set_random_seed(0)
    FasterSegNetwork(GENOTYPE, 19).save(root / "network.keras")
    return root


@pytest.fixture(scope="module")
def one_size(root):
    """The network as an ONNX of one size, with logits alone."""
    finished = run_tool(
        "export",
        *(f"--network={root}/network.keras", f"--target={root}/one_size", "--format=onnx"),
        *("--output=logits", "--input_size=32x64", "--proof_images=1"),
        *("--dataset=cityscapes", f"--data_dir={root}/data"),
    )
    assert finished.status == 0, finished
    return "one_size"


def evaluate(root, *arguments, artefact="network.keras"):
    return run_tool(
        "evaluate",
        *(f"--artefact={root}/{artefact}", "--dataset=cityscapes", f"--data_dir={root}/data"),
        *arguments,
    )


def test_official_scores(root, tmp_path):
    finished = evaluate(root, "--official", f"--output={tmp_path}/scores.json")
    assert finished.status == 0, finished
    lines = [line.split() for line in finished.stdout.splitlines()]
    scores = read_json(tmp_path / "scores.json")
    average = scores["official"]["average"]["classes"]
    assert ["class", "IoU", "%", "iIoU", "%"] in lines
    assert ["category", "IoU", "%", "iIoU", "%"] in lines
    assert ["classes", *(f"{100 * average[name]:.4f}" for name in ("iou", "iiou"))] in lines
    assert f"mIoU {100 * scores['miou']:.2f} %, 2 images of val" in finished.stdout
    plain = evaluate(root, f"--output={tmp_path}/plain.json")
    assert plain.status == 0, plain
    assert read_json(tmp_path / "plain.json")["per_class"] == scores["per_class"]


def test_a_submission_of_a_split_without_labels(root, tmp_path):
    folder = tmp_path / "submission"
    arguments = ("--split=test", f"--submission={folder}")
    finished = evaluate(root, *arguments)
    assert finished.status == 0, finished
    assert finished.stdout == f"2 label maps of test are in {folder}\n"
    maps = sorted(folder.glob("*.png"))
    assert [path.name for path in maps] == [
        f"synthetic_{index:06d}_000000_labelIds.png" for index in range(2)
    ]
    assert {Image.open(path).size for path in maps} == {(96, 64)}
    message = sentence(evaluate(root, *arguments, "--flip"))
    assert "(passes was None and is {'scales': [1.0], 'flip': True}); pass --overwrite" in message
    assert evaluate(root, *arguments, "--flip", "--overwrite").status == 0
    assert "has no label" in sentence(evaluate(root, "--split=test", "--official"))


@pytest.mark.backends("tensorflow")
def test_windows_of_an_export_of_one_size(root, one_size, tmp_path):
    """The mean over windows of logits from ONNX Runtime is that of Keras."""
    found = []
    for artefact in ("network.keras", one_size):
        folder = tmp_path / artefact
        finished = evaluate(
            root,
            *("--window=32x64", "--window_overlap=1/2", "--flip", f"--submission={folder}"),
            artefact=artefact,
        )
        assert finished.status == 0, finished
        found.append(
            np.stack([np.asarray(Image.open(each)) for each in sorted(folder.glob("*.png"))])
        )
    assert finished.stdout.splitlines()[-1].startswith("Proven at export: 100.000 % equal labels")
    assert np.mean(found[0] == found[1]) > 0.999
    message = sentence(evaluate(root, "--flip", artefact=one_size))
    assert "The artefact needs images of 32x64, but a pass has 64x96" in message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--scales=0",), "--scales must be above 0. Received: --scales="),
        (("--scales=half",), "expected a number or a fraction, received 'half'"),
        (("--window=16x64",), "Each side of --window must be at least 32"),
        (("--window=large",), "expected HEIGHTxWIDTH"),
        (("--flip", "--window_overlap=1"), "--window_overlap must be at least 0 and below 1"),
        (("--scales=0.25",), "must be at least 32. Received: shape (1, 16, 24, 3)"),
        (("--submission=DATA",), "holds other files than label maps of this tool"),
        (("--official", "--split=train2"), "has no split 'train2'"),
    ],
)
def test_one_sentence(root, arguments, expected):
    filled = [each.replace("DATA", f"{root}/data") for each in arguments]
    assert expected in sentence(evaluate(root, *filled))


def test_other_data_sets_have_no_official_scores(root, tmp_path):
    for folder in ("train", "trainannot", "val", "valannot"):
        (tmp_path / folder).mkdir()
    finished = run_tool(
        "evaluate",
        *(f"--artefact={root}/network.keras", "--dataset=camvid", f"--data_dir={tmp_path}"),
        "--official",
    )
    assert "set --dataset=cityscapes. Received: camvid" in sentence(finished)


def test_masks_of_videos(tmp_path):
    truths = write_davis(tmp_path / "davis")
    write_masks(tmp_path / "results", truths)
    arguments = ("evaluate", "--task=video", f"--data_dir={tmp_path}/davis")
    output = tmp_path / "scores.json"
    finished = run_tool(*arguments, f"--results={tmp_path}/results", f"--output={output}")
    assert finished.status == 0, finished
    assert finished.stdout.endswith("\n\nJ&F 100.00 %, 3 objects in 2 sequences of val\n")
    assert read_json(output)["j"] == {"mean": 1.0, "recall": 1.0, "decay": 0.0}
    message = sentence(run_tool(*arguments, f"--results={tmp_path}/gone"))
    assert "gone/dog does not exist; there must be one folder of masks" in message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--artefact=A", "--results=R"), "--results belongs to --task=video; leave it out."),
        (("--artefact=A", "--resolution=480p"), "--resolution belongs to --task=video"),
        ((), "--artefact is not set; give an export's folder or file"),
        (("--artefact=A",), "--data_dir is not set; give the folder of the data set"),
        (("--task=video",), "--results is not set; give the folder of the masks"),
        (("--task=video", "--results=R"), "--data_dir is not set; give the folder of DAVIS"),
        (("--task=video", "--results=R", "--data_dir=GONE"), "The folder GONE does not exist"),
        (
            ("--task=video", "--results=R", "--official"),
            "--official belongs to --task=segmentation; leave it out. Received: --task=video",
        ),
        (("--task=video", "--artefact=A"), "--artefact belongs to --task=segmentation"),
        (("--task=video", "--dataset=camvid"), "--dataset belongs to --task=segmentation"),
        (("--task=video", "--flip"), "--flip belongs to --task=segmentation"),
        (("--task=sound",), "value should be one of <segmentation|video>"),
    ],
)
def test_flags_of_a_task(arguments, expected):
    assert expected in sentence(run_tool("evaluate", *arguments))
