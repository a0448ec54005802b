import numpy as np
import pytest

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.reports.inspect_dataset import inspect_dataset
from keras_fasterseg.reports.inspection_report import inspection_report
from tests.faulty_camvid import LABEL, truncate, write_faulty, write_good, write_pair


def report_of(root, *splits):
    source = CamVid(root)
    return inspection_report(inspect_dataset(source, splits or ("train", "val"), progress=False))


def row_of(report, first):
    (line,) = (line for line in report.splitlines() if line.startswith(f"{first}  "))
    return line.split()


def test_numbers_of_a_good_data_set(tmp_path):
    report = report_of(write_good(tmp_path))

    assert report.splitlines()[0] == f"camvid in {tmp_path}, 11 classes"
    # Of 3 * 32 * 48 pixels a row of each label is void.
    assert row_of(report, "train") == ["train", "3", "32x48", "RGB", "L", "3.12"]
    # 20 of 31 labelled rows; 1 / ln(1.02 + 20 / 31) = 1.96.
    row = ["sky", "2,880", "64.516", "3", "1,920", "64.516", "2", "1.96"]
    assert row_of(report, "sky") == row
    assert row_of(report, "road")[1:4] == ["1,584", "35.484", "3"]
    assert "  --student_crop_size=64x64" in report
    assert report.splitlines()[-1] == f"{tmp_path} can be used for training."


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("train, unreadable image: 2 files", "train/cut_image.png is damaged or cannot be read"),
        ("train, unreadable label: 1 file", "trainannot/cut_label.png is damaged or cannot be"),
        ("train, missing label: 1 file", "train/no_label.png has no label"),
        ("train, size mismatch: 1 file", "trainannot/other_size.png is 32 x 40"),
        ("train, too small: 1 file", "train/small.png is 31 x 48"),
        ("train, unknown values: 1 file", "trainannot/unknown.png holds the id 77"),
        ("train, unknown label values: 11 pixels", "id 77: 10 pixels in 1 label"),
        ("Warnings", "1 label without an image in train"),
    ],
)
def test_every_fault_is_named(tmp_path, title, line):
    lines = report_of(write_faulty(tmp_path)).splitlines()
    following = lines[lines.index(title) + 1]
    assert line in following
    assert str(tmp_path) in following


def test_long_lists_are_cut(tmp_path):
    write_good(tmp_path)
    for number in range(12):
        write_pair(tmp_path, "train", f"{number:02d}", label=np.where(LABEL == 3, 50, LABEL))
        write_pair(tmp_path, "val", f"{number:02d}", np.zeros((40 + number, 40), np.uint8))

    report = report_of(tmp_path)

    lines = report.splitlines()
    labels = [tmp_path / "trainannot" / f"{number:02d}.png" for number in range(3)]
    (line,) = (line for line in lines if "holds the id 50" in line)
    assert lines[lines.index(line) - 1] == "train, unknown values: 12 files"
    assert line == (
        f"  The label {labels[0]} holds the id 50, which camvid does not have (its ids: 0-11). "
        f"Same fault: {labels[1]}, {labels[2]} and 9 more."
    )
    paths = ", ".join(str(tmp_path / "trainannot" / f"{number:02d}.png") for number in range(3))
    assert f"  id 50: 6,336 pixels in 12 labels, {paths} and 9 more" in report
    assert "32x48 (2), 40x40 (1), 41x40 (1) and 10 others" in report


def test_a_split_without_images(tmp_path):
    report = report_of(write_good(tmp_path), "train", "test")
    message = f"The split test is unusable. {tmp_path} has no split 'test'; it has train, val."
    assert message in report
    assert row_of(report, "test")[:2] == ["test", "0"]
    assert report.endswith("cannot be used for training: the split test is unusable.")


def test_every_cause_is_one_sentence(tmp_path):
    """Files that end early at other places have one cause, and those of another size too."""
    write_good(tmp_path)
    for number in range(20):
        write_pair(tmp_path, "train", f"cut{number:02d}")
        truncate(tmp_path / "train" / f"cut{number:02d}.png", 100 + 7 * number)
        write_pair(tmp_path, "train", f"size{number:02d}", label=LABEL[:, : 20 + number])
    write_pair(tmp_path, "train", "mode", np.zeros((*LABEL.shape,), np.uint16))

    report = report_of(tmp_path)

    for title, count in (("unreadable image", 2), ("size mismatch", 1)):
        part = report.partition(f"train, {title}: 2")[2].partition("\n\n")[0].splitlines()
        assert len(part) == 1 + count
        assert part[1].endswith(" and 17 more.")
    assert "mode.png is stored as 16-bit grey PNG, which does not define the value of" in report
