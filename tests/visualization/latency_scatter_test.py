"""Tests of the picture: what it draws where, read back from its pixels."""

import sys

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.visualization.latency_scatter import save_latency_scatter

MEASURED = [4.0, 6.0, 9.0, 12.0, 15.0]
RAW = [5.0, 7.6, 11.0, 15.0, 18.5]
CALIBRATED = [4.2, 5.9, 9.3, 12.1, 14.7]


def pixels_near(path, color, tolerance=40):
    image = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int(np.all(np.abs(image - color) <= tolerance, axis=-1).sum())


def test_a_whole_opaque_png(tmp_path):
    path = tmp_path / "folder" / "scatter.png"
    save_latency_scatter(path, RAW, MEASURED, "a device", calibrated_ms=CALIBRATED)
    image = Image.open(path)
    image.load()
    assert image.format == "PNG"
    alpha = np.asarray(image.convert("RGBA"))[..., 3]
    assert alpha.min() == 255
    assert image.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_nothing_touches_the_border(tmp_path):
    path = tmp_path / "scatter.png"
    title = "a device of a very long name, with a runtime and its version as well, 1024x2048"
    save_latency_scatter(path, RAW, MEASURED, title, calibrated_ms=CALIBRATED)
    image = np.asarray(Image.open(path).convert("RGB"))
    for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert np.all(edge == 255)


def test_the_second_series_is_drawn_only_if_it_is_given(tmp_path):
    orange, blue = (0xC0, 0x5A, 0x00), (0x0B, 0x6B, 0xB0)
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    save_latency_scatter(one, RAW, MEASURED, "a device")
    save_latency_scatter(two, RAW, MEASURED, "a device", calibrated_ms=CALIBRATED)
    assert pixels_near(one, orange) > 100
    assert pixels_near(two, orange) > 100
    assert pixels_near(one, blue) == 0
    assert pixels_near(two, blue) > 500


def test_other_suffixes_and_latencies_that_do_not_compare_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be a \.png file"):
        save_latency_scatter(tmp_path / "scatter.jpg", RAW, MEASURED, "a device")
    with pytest.raises(ValueError, match="two networks or more"):
        save_latency_scatter(tmp_path / "scatter.png", RAW[:1], MEASURED[:1], "a device")
    assert not list(tmp_path.iterdir())


def test_pyplot_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    save_latency_scatter(tmp_path / "scatter.png", RAW, MEASURED, "a device")
    assert "matplotlib.pyplot" not in sys.modules
