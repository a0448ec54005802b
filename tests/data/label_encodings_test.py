import concurrent.futures

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.folder import Folder
from keras_fasterseg.data.label_encodings import check_label_encodings
from tests.data.encoded_files import bmp, png

RED, GREEN, BLUE, BLACK = (200, 0, 0), (0, 200, 0), (0, 0, 200), (0, 0, 0)
IDS = np.array([[0, 1, 0], [1, 1, 0]], np.uint8)


@pytest.fixture
def make(tmp_path):
    """A data set whose labels are these files."""

    def make(*labels, text="classes: [ground, lane, sky]"):
        for kind in ("images", "labels"):
            (tmp_path / kind / "train").mkdir(parents=True, exist_ok=True)
        (tmp_path / "dataset.yaml").write_text(text)
        for number, data in enumerate(labels):
            Image.new("RGB", (3, 2)).save(tmp_path / "images" / "train" / f"{number}.png")
            suffix = "bmp" if data.startswith(b"BM") else "png"
            (tmp_path / "labels" / "train" / f"{number}.{suffix}").write_bytes(data)
        source = Folder(tmp_path)
        return source, source.samples("train")

    return make


def test_palettes_in_another_order_are_refused(make):
    labels = [
        png(IDS, 3, 8, [RED, GREEN]),
        png(IDS, 3, 4, [RED, GREEN]),
        png(IDS, 3, 8, [GREEN, RED]),
    ]
    source, samples = make(*labels)
    with pytest.raises(DataError, match="labels: colors") as failure:
        check_label_encodings(source, samples)
    first, _, last = (sample.label for sample in samples)
    assert str(failure.value) == (
        f"The palettes of labels differ: the index 0 is {RED} in {first} and {GREEN} in {last}, so "
        "indices cannot be ids; if the colours are right, describe them in dataset.yaml with "
        "`labels: colors`, else store all labels with the same palette."
    )
    check_label_encodings(source, samples[:2])


def test_the_cure_reads_colours(make):
    classes = [{"name": "ground", "color": [*RED]}, {"name": "lane", "color": [*GREEN]}]
    source, samples = make(
        png(IDS, 3, 8, [RED, GREEN]),
        png(1 - IDS, 3, 8, [GREEN, RED]),
        text=f"labels: colors\nclasses: {classes}",
    )
    check_label_encodings(source, samples)
    for sample in samples:
        np.testing.assert_array_equal(source.read_label(sample), IDS)


@pytest.mark.parametrize(
    "labels",
    [
        # A file without the highest id, whose palette ends before.
        (
            png(IDS * 0, 3, 8, [RED]),
            png(IDS, 3, 8, [RED, GREEN]),
            png(IDS, 3, 8, [RED, GREEN, BLUE]),
        ),
        # Entries that no label uses.
        (png(IDS, 3, 8, [RED, GREEN, BLUE]), png(IDS, 3, 8, [RED, GREEN, BLACK])),
        # The same palette in other formats, depths, and without one.
        (png(IDS, 3, 8, [RED, GREEN]), png(IDS, 3, 1, [RED, GREEN]), bmp(IDS, 4, [RED, GREEN])),
        (png(IDS, 3, 8, [RED, GREEN]), png(IDS, 0, 8)),
    ],
)
def test_palettes_that_agree(make, labels):
    check_label_encodings(*make(*labels))


def test_an_index_that_one_file_alone_uses(make):
    """Blue is 1 in the first label and 2 in the second, whose 1 is not used."""
    labels = (png(IDS, 3, 8, [RED, BLUE]), png(IDS * 2, 3, 8, [RED, GREEN, BLUE]))
    with pytest.raises(
        DataError, match=r"the index 1 is \(0, 0, 200\) in .*0\.png and \(0, 200, 0\)"
    ):
        check_label_encodings(*make(*labels))


def test_few_bits_beside_more(make):
    """255 is ignored, so that 1 of 1 bit may be the id 1 or what was 255 once."""
    source, samples = make(png(IDS, 0, 1), png(IDS, 0, 8), text="classes: [ground, lane]")
    with pytest.raises(DataError, match=r"Labels have 1 bit \(.*0\.png\) and 8 bits \(.*1\.png\)"):
        check_label_encodings(source, samples)
    check_label_encodings(source, samples[:1])
    np.testing.assert_array_equal(source.read_label(samples[0]), IDS)
    text = "ignore_index: 9\nclasses: [ground, lane]"
    check_label_encodings(*make(png(IDS, 0, 1), png(IDS, 0, 8), text=text))


def test_headers_are_read_by_as_many_threads_as_other_files(make, monkeypatch):
    threads = []

    class Pool(concurrent.futures.ThreadPoolExecutor):
        def __init__(self, max_workers=None):
            threads.append(max_workers)
            super().__init__(max_workers)

    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", Pool)
    check_label_encodings(*make(png(IDS, 0, 8)))
    assert threads == [available_cores().reading_threads]


def test_files_that_cannot_be_read_are_left_to_others(make):
    source, samples = make(b"no image", png(IDS, 3, 8, [GREEN, RED]))
    check_label_encodings(source, samples)


def test_the_real_data_set(camvid):
    check_label_encodings(camvid, camvid.samples("val"))
