import numpy as np
from PIL import Image

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.reports.inspect_dataset import inspect_dataset
from keras_fasterseg.reports.inspection_sheet import choose_samples, save_inspection_sheet
from keras_fasterseg.visualization.sample_sheet import FAULT_COLOR, UNKNOWN_COLOR
from tests.faulty_camvid import write_faulty, write_good, write_pair


def inspected(root):
    source = CamVid(root)
    return source, inspect_dataset(source, ("train", "val"), progress=False)


def stems(samples):
    return [each.sample.image.stem for each in samples]


def pixels_of(path, color):
    return int(np.all(np.asarray(Image.open(path)) == color, axis=-1).sum())


def test_samples_are_taken_evenly(tmp_path):
    for number in range(10):
        write_pair(tmp_path, "train", str(number))
    (tmp_path / "val").mkdir()
    samples = inspected(tmp_path)[1].splits[0].samples

    assert stems(choose_samples(samples, 1)) == ["5"]
    assert stems(choose_samples(samples, 3)) == ["1", "5", "8"]
    assert (
        stems(choose_samples(samples, 10)) == stems(choose_samples(samples, 99)) == [*"0123456789"]
    )
    assert choose_samples([], 3) == []


def test_half_of_them_are_faulty(tmp_path):
    samples = inspected(write_faulty(tmp_path))[1].splits[0].samples

    chosen = choose_samples(samples, 4)

    assert len(chosen) == 4
    assert sum(1 for each in chosen if each.faults) == 2
    # Two good ones are all there are.
    assert sum(1 for each in choose_samples(samples, 7) if each.faults) == 5
    assert len(choose_samples(samples, 99)) == 9


def test_good_and_faulty_sheets(tmp_path):
    good, faulty = tmp_path / "good.png", tmp_path / "faulty.png"
    source, inspection = inspected(write_good(tmp_path / "good"))
    save_inspection_sheet(good, inspection, source, 12)
    source, inspection = inspected(write_faulty(tmp_path / "faulty"))
    save_inspection_sheet(faulty, inspection, source, 12)

    assert pixels_of(good, FAULT_COLOR) == 0
    # Seven frames of 4 pixels around pictures 264 high, and more wide.
    assert pixels_of(faulty, FAULT_COLOR) > 7 * 4 * 4 * 170
    # The swatch alone, and besides it what is shown of an unknown id.
    assert pixels_of(good, UNKNOWN_COLOR) < pixels_of(faulty, UNKNOWN_COLOR)
