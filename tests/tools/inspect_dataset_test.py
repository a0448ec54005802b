"""The inspection tool: report, JSON, sheet and status."""

import shutil

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.files import read_json
from tests.faulty_camvid import truncate, write_faulty, write_good
from tests.tools.run_tool import run_tool, sentence


def inspect(root, *arguments, status):
    finished = run_tool("inspect_dataset", "--dataset=camvid", f"--data_dir={root}", *arguments)
    assert finished.status == status, finished
    assert "Traceback" not in finished.stderr
    return finished.stdout.splitlines()


def test_a_good_data_set(tmp_path):
    write_good(tmp_path / "data")
    lines = inspect(tmp_path / "data", status=0)
    assert lines[-1] == f"{tmp_path}/data can be used for training."
    # Nothing is written unless it is asked for.
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_faulty_data_set(tmp_path):
    root = write_faulty(tmp_path / "data")
    output, picture = tmp_path / "found" / "data.json", tmp_path / "found" / "data.png"

    lines = inspect(root, f"--json={output}", f"--sheet={picture}", "--sheet_images=6", status=1)

    assert lines[-1] == f"{root} cannot be used for training: 7 faulty files."
    value = read_json(output)
    named = [
        *("train/cut_image", "train/small", "train/text", "trainannot/cut_label"),
        *("trainannot/no_label", "trainannot/other_size", "trainannot/unknown"),
    ]
    assert sorted(value["faulty_files"]) == [f"{root}/{name}.png" for name in named]
    assert value["splits"]["train"]["labels_without_image"] == [f"{root}/trainannot/no_image.png"]
    text = "\n".join(lines)
    assert all(f"{root}/{name}.png" in text for name in [*named, "trainannot/no_image"])
    with Image.open(picture) as image:
        assert image.format == "PNG"
        # Two rows of train, one of val.
        assert image.width == 1716
        assert image.height > 3 * 176


def test_large_images_and_the_limit(tmp_path):
    """Without a word of Pillow in the progress bar, which warns from 89 megapixels on."""
    write_good(tmp_path)
    for path, mode in (("train/b.png", "RGB"), ("trainannot/b.png", "L")):
        Image.new(mode, (9500, 9500)).save(tmp_path / path, compress_level=1)
    arguments = ("--dataset=camvid", f"--data_dir={tmp_path}", "--splits=train")
    finished = run_tool("inspect_dataset", *arguments)
    assert finished.status == 0
    assert "Bomb" not in finished.stderr
    lines = inspect(tmp_path, "--splits=train", "--max_megapixels=90", status=1)
    assert lines[-1] == f"{tmp_path} cannot be used for training: 2 faulty files."
    words = "is 9500 x 9500, 90.2 megapixels, and the limit is 90; cut it into tiles, or raise"
    assert sum(words in line for line in lines) == 2


@pytest.mark.parametrize(("splits", "status"), [("train", 1), ("val", 0), ("val,test", 1)])
def test_the_status_is_of_the_splits_asked_for(tmp_path, splits, status):
    inspect(write_faulty(tmp_path), f"--splits={splits}", status=status)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset=camvid", "--data_dir=IN/gone"), "The folder IN/gone does not exist"),
        (("--dataset=camvid", "--data_dir=IN/empty"), "IN/empty does not contain CamVid"),
        (("--dataset=nowhere", "--data_dir=IN/good"), "nowhere"),
        (("--dataset=camvid",), "--data_dir"),
        (
            ("--dataset=camvid", "--data_dir=IN/good", "--splits="),
            "name at least one, such as train",
        ),
        (
            ("--dataset=camvid", "--data_dir=IN/good", "--sheet=IN/sheet.jpg"),
            "The sheet must be a .png file. Received: IN/sheet.jpg",
        ),
        (("--dataset=camvid", "--data_dir=IN/good", "--sheet_images=0"), "--sheet_images"),
    ],
)
def test_wrong_flags(tmp_path, arguments, message):
    write_good(tmp_path / "good")
    (tmp_path / "empty").mkdir()
    given = [argument.replace("IN/", f"{tmp_path}/") for argument in arguments]
    finished = run_tool("inspect_dataset", *given)
    assert message.replace("IN/", f"{tmp_path}/") in sentence(finished)
    assert finished.stdout == ""


def test_the_report_is_not_lost_where_nothing_can_be_written(tmp_path):
    write_good(tmp_path / "good")
    (tmp_path / "file").write_text("", encoding="utf-8")
    output = f"--json={tmp_path}/file/a.json"
    arguments = ("--dataset=camvid", f"--data_dir={tmp_path}/good", output)
    finished = run_tool("inspect_dataset", *arguments)
    assert f"{tmp_path}/file" in sentence(finished)
    assert finished.stdout.splitlines()[-1] == f"{tmp_path}/good can be used for training."


def test_camvid_with_three_faults(tmp_path, camvid):
    """A truncated label, an image that is not there, and an id too many: all three are named."""
    root = tmp_path / "camvid"
    for folder in ("val", "valannot"):
        shutil.copytree(camvid.root / folder, root / folder)
    labels = sorted((root / "valannot").iterdir())
    broken, orphan, unknown = labels[10], labels[50], labels[90]
    truncate(broken, 1000)
    (root / "val" / f"{orphan.stem}.jpg").unlink()
    ids = np.array(Image.open(unknown))
    ids[100:110, 200:220] = 42
    Image.fromarray(ids).save(unknown)

    output = tmp_path / "found.json"
    lines = inspect(root, "--splits=val", f"--json={output}", status=1)

    text = "\n".join(lines)
    assert f"  {broken} is damaged or cannot be read" in text
    assert f"  The label {unknown} holds the id 42" in text
    assert f"  id 42: 200 pixels in 1 label, {unknown}" in text
    assert f"  1 label without an image in val: {orphan}." in text
    assert lines[-1] == f"{root} cannot be used for training: 2 faulty files."
    found = read_json(output)["splits"]["val"]
    assert found["images"] == 100
    assert [fault["file"] for fault in found["faults"]] == [str(broken), str(unknown)]
    assert found["labels_without_image"] == [str(orphan)]
