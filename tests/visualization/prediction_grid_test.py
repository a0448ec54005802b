"""Panels beside one another, read back from the pixels."""

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.visualization.prediction_grid import label_panels, prediction_grid

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
PALETTE = np.array([RED, GREEN, BLUE], np.uint8)


def panel(color, size=(10, 6)):
    return Image.new("RGB", size, color)


def test_panels_stand_in_their_columns_and_rows():
    rows = [[panel(RED), panel(GREEN)], [panel(BLUE, (8, 4)), panel(RED, (8, 4))]]
    grid = prediction_grid(rows, ["image", "label"])
    # Two columns of 10 with 4 between; the names, 6 and 4 with 4 between.
    assert grid.shape == (16 + 6 + 4 + 4, 24, 3)
    assert grid.dtype == np.uint8
    assert (grid[16:22, :10] == RED).all()
    assert (grid[16:22, 14:] == GREEN).all()
    assert (grid[26:30, :8] == BLUE).all()
    assert (grid[26:30, 14:22] == RED).all()
    assert (grid[22:26] == 255).all()
    assert (grid[16:, 10:14] == 255).all()
    # Their names, in black.
    assert grid[:16, :10].min() < 128


def test_wide_panels_are_made_smaller_without_new_colours():
    stripes = np.zeros((100, 960), np.uint8)
    stripes[:, ::2] = 1
    (row,) = [label_panels(np.zeros((100, 960, 3), np.uint8), [stripes], PALETTE)]
    grid = prediction_grid([row], ["image", "label"])
    assert grid.shape == (16 + 50, 480 + 4 + 480, 3)
    colors = {tuple(color) for color in grid[16:, 484:].reshape(-1, 3).tolist()}
    assert colors <= {RED, GREEN}


def test_classes_have_their_colours_and_ignored_pixels_are_black():
    ids = np.array([[0, 1], [2, 255]], np.uint8)
    image = np.full((2, 2, 3), 7, np.uint8)
    shown, labels, again = label_panels(image, [ids, ids], PALETTE)
    assert (np.asarray(shown) == 7).all()
    colors = np.asarray(labels.convert("RGB")).tolist()
    assert colors == [[list(RED), list(GREEN)], [list(BLUE), [0, 0, 0]]]
    assert np.array_equal(np.asarray(again), np.asarray(labels))


@pytest.mark.parametrize("rows", [[], [[panel(RED)]]])
def test_rows_that_have_not_a_panel_a_name(rows):
    with pytest.raises(ValueError, match="a panel for each of image, label"):
        prediction_grid(rows, ["image", "label"])
