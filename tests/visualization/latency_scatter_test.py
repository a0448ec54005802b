"""The scatter of latencies: its text, and room around it."""

import sys

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.visualization.latency_scatter import save_latency_scatter
from tests.visualization.svg_text import texts

MEASURED = [4.0, 6.0, 9.0, 12.0, 15.0]
RAW = [5.0, 7.6, 11.0, 15.0, 18.5]
CALIBRATED = [4.2, 5.9, 9.3, 12.1, 14.7]


def test_the_legend_tells_how_well_each_series_agrees(tmp_path):
    path = tmp_path / "folder" / "scatter.svg"
    save_latency_scatter(path, RAW, MEASURED, "a device", calibrated_ms=CALIBRATED)
    legend = [
        "within 10%",
        "predicted = measured",
        "sum of the rows: Spearman 1.000, median error 25.0%",
        "calibrated: Spearman 1.000, median error 2.0%",
    ]
    drawn = texts(path)
    assert [each for each in drawn if each in legend] == legend
    assert {"a device", "measured, ms", "predicted, ms"} <= set(drawn)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    save_latency_scatter(path, RAW, MEASURED, "a device")
    assert not any(each.startswith("calibrated") for each in texts(path))


def test_nothing_touches_the_border(tmp_path):
    path = tmp_path / "scatter.png"
    title = "a device of a very long name, with a runtime and its version as well, 1024x2048"
    save_latency_scatter(path, RAW, MEASURED, title, calibrated_ms=CALIBRATED)
    # A PNG is twice as fine as it is shown, and the border one pixel wide.
    image = np.asarray(Image.open(path).convert("RGB"))[4:-4, 4:-4]
    middle = slice(20, -20)
    for edge in (image[0, middle], image[-1, middle], image[middle, 0], image[middle, -1]):
        assert np.all(edge == 255)


def test_other_suffixes_and_latencies_that_do_not_compare_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a \.svg or a \.png file"):
        save_latency_scatter(tmp_path / "scatter.jpg", RAW, MEASURED, "a device")
    with pytest.raises(ValueError, match="at least two networks"):
        save_latency_scatter(tmp_path / "scatter.png", RAW[:1], MEASURED[:1], "a device")
    assert not list(tmp_path.iterdir())


def test_pyplot_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    save_latency_scatter(tmp_path / "scatter.png", RAW, MEASURED, "a device")
    assert "matplotlib.pyplot" not in sys.modules
