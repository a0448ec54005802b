"""The card that figures are drawn on."""

import sys

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.visualization.card import card, chart_card, figure_pixels, save_figure
from tests.visualization.svg_text import texts


def chart():
    figure = chart_card(120, "a title", width=200)
    figure.add_subplot().plot([1, 2], [3, 4])
    return figure


def test_white_up_to_its_rounded_corners(tmp_path):
    path = tmp_path / "card.png"
    save_figure(card(100, width=200), path)
    image = np.asarray(Image.open(path))
    # Twice as fine as it is shown.
    assert image.shape == (200, 400, 4)
    assert tuple(image[100, 200]) == (255, 255, 255, 255)
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners[:, 3] == 0).all()
    # The middle of every edge is opaque, but for the first pixel.
    assert (image[[4, -5, 100, 100], [200, 200, 4, -5], 3] == 255).all()


def test_pixels_are_those_of_the_card_on_white():
    pixels = figure_pixels(card(100, width=200))
    assert pixels.shape == (100, 200, 3)
    assert pixels.dtype == np.uint8
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    assert pixels[0].min() < 255, "the border"


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_bytes_every_time(tmp_path, suffix):
    for name in ("one", "two"):
        save_figure(chart(), tmp_path / f"{name}{suffix}")
    one, two = (tmp_path / f"{name}{suffix}" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_text_of_an_svg_is_text_without_a_date(tmp_path):
    path = tmp_path / "chart.svg"
    save_figure(chart(), path)
    assert "a title" in texts(path)
    content = path.read_text(encoding="utf-8")
    assert "<dc:date>" not in content
    assert "Matplotlib v" not in content


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_titles_in_every_script_have_no_empty_boxes(tmp_path, suffix, recwarn):
    """matplotlib warns of every letter that no font of a text has."""
    figure = chart_card(120, "道路 дорога طريق सड़क", width=300)
    save_figure(figure, tmp_path / f"card{suffix}")
    figure_pixels(figure)
    assert not [each for each in recwarn if "missing from" in str(each.message)]
    if suffix == ".svg":
        assert "道路 дорога طريق ????" in texts(tmp_path / "card.svg")


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a \.svg or a \.png file\. Received: .*card\.gif"):
        save_figure(card(10), tmp_path / "card.gif")
    assert not list(tmp_path.iterdir())


def test_pyplot_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    save_figure(chart(), tmp_path / "chart.svg")
    assert "matplotlib.pyplot" not in sys.modules
