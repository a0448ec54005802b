"""Tests of the sheet: what it shows where, read back from its pixels."""

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.palette import default_palette
from keras_fasterseg.data.source import NOT_ALLOWED
from keras_fasterseg.visualization.sample_sheet import (
    FAULT_COLOR,
    UNKNOWN_COLOR,
    SheetSample,
    SheetSection,
    save_sample_sheet,
)

PALETTE = np.array([[250, 10, 20], [30, 240, 50], [60, 70, 230]], np.uint8)
NAMES = ("left", "middle", "right")
GREY = np.full((132, 264, 3), 100, np.uint8)
IDS = np.repeat(np.array([0, 1, 2, 255], np.uint8), 66)[np.newaxis].repeat(132, axis=0)
GOOD = SheetSample("good.png", GREY, IDS)
# Margin, title, gap, a row of the legend, gap, the section's title, gap.
TOP = 28 + 42 + 20 + 30 + 20 + 36 + 20


def sheet(tmp_path, *samples, names=NAMES, palette=PALETTE):
    path = tmp_path / "folder" / "sheet.png"
    sections = [SheetSection("train: all", iter(samples))]
    save_sample_sheet(path, "a data set", sections, names, palette)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    image = Image.open(path)
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB"))


def count(pixels, color):
    return int(np.all(pixels == color, axis=-1).sum())


def test_image_beside_its_overlay(tmp_path):
    pixels = sheet(tmp_path, GOOD)
    tile = pixels[TOP + 4 : TOP + 4 + 132, 28 + 4 :]
    np.testing.assert_array_equal(tile[:, :264], GREY)
    np.testing.assert_array_equal(tile[:, 264:268], 255)
    overlay = tile[:, 268 : 268 + 264]
    for train_id, color in enumerate(PALETTE):
        shown = overlay[:, 66 * train_id : 66 * (train_id + 1)]
        np.testing.assert_allclose(shown - (0.4 * 100 + 0.6 * color), 0, atol=1)
    # Ignored.
    np.testing.assert_array_equal(overlay[:, 198:], 100)


def test_size_follows_from_the_number_of_samples(tmp_path):
    heights = [sheet(tmp_path, *[GOOD] * number).shape for number in (1, 3, 4, 7)]
    assert {width for _, width, _ in heights} == {2 * 28 + 3 * (2 * 264 + 4 + 8) + 2 * 20}
    # A row is a picture, its frame, a line of 24 pixels, and a gap.
    row = 132 + 8 + 24 + 20
    assert [height - heights[0][0] for height, _, _ in heights] == [0, 0, row, 2 * row]


def test_the_legend_holds_the_colours_of_the_classes(tmp_path):
    for color in PALETTE:
        assert count(sheet(tmp_path, GOOD), color) >= 38 * 18
    palette = default_palette()[:254]
    pixels = sheet(tmp_path, GOOD, names=[f"class {i}" for i in range(254)], palette=palette)
    codes, counts = np.unique(pixels @ np.array([1 << 16, 1 << 8, 1]), return_counts=True)
    found = dict(zip(codes.tolist(), counts.tolist(), strict=True))
    assert all(found[code] >= 38 * 18 for code in (palette @ [1 << 16, 1 << 8, 1]).tolist())


def test_faulty_samples_are_framed(tmp_path):
    assert count(sheet(tmp_path, GOOD), FAULT_COLOR) == 0
    faulty = SheetSample("b.png", GREY, IDS, "unknown values")
    pixels = sheet(tmp_path, faulty)
    frame = pixels[TOP : TOP + 132 + 8, 28 : 28 + 2 * 264 + 4 + 8]
    for edge in (frame[:4], frame[-4:], frame[:, :4], frame[:, -4:]):
        np.testing.assert_array_equal(edge, np.broadcast_to(FAULT_COLOR, edge.shape))


def test_a_single_unknown_pixel_of_a_large_label_is_seen(tmp_path):
    large = np.zeros((1024, 2048), np.uint8)
    large[501, 1003] = NOT_ALLOWED
    image = np.zeros((1024, 2048, 3), np.uint8)
    legend_alone = count(sheet(tmp_path, GOOD), UNKNOWN_COLOR)
    found = count(sheet(tmp_path, SheetSample("a", image, large)), UNKNOWN_COLOR)
    assert found - legend_alone >= 9


@pytest.mark.parametrize(
    "sample",
    [
        SheetSample("a", None, None, "missing image, missing label"),
        SheetSample("a", None, IDS, "unreadable image"),
        SheetSample("a", GREY, None, "missing label"),
        SheetSample("a" * 500, GREY, IDS[:100], "size mismatch"),
        SheetSample("upright", np.zeros((400, 20, 3), np.uint8), np.zeros((400, 20), np.uint8)),
        SheetSample("tiny", np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8)),
    ],
)
def test_whatever_is_there_is_shown_and_nothing_touches_the_border(tmp_path, sample):
    pixels = sheet(tmp_path, sample, GOOD)
    for edge in (pixels[:28], pixels[-28:], pixels[:, :28], pixels[:, -28:]):
        assert np.all(edge == 255)


def test_no_samples(tmp_path):
    assert count(sheet(tmp_path), PALETTE[0]) >= 38 * 18


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be a \.png file\. Received: .*sheet\.jpg"):
        save_sample_sheet(tmp_path / "sheet.jpg", "a", [], NAMES, PALETTE)
    assert not list(tmp_path.iterdir())
