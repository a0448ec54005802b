"""One picture of images next to their labels and the predictions of networks."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from keras_fasterseg.visualization.label_map import label_map_image

_WIDEST = 480
_GAP = 4
_HEADER = 16


def prediction_grid(rows: Sequence[Sequence[Image.Image]], names: Sequence[str]) -> np.ndarray:
    """Draws one row per image and one column per kind of panel, with column names above.

    Args:
        rows: The panels of each image, all of one size within a row; wide panels are reduced.
        names: Names of the columns.

    Returns:
        uint8 RGB of shape `(height, width, 3)`, white between the panels.

    Raises:
        ValueError: There are no rows, or a row does not have one panel per name.
    """
    if not rows or any(len(row) != len(names) for row in rows):
        raise ValueError(
            f"Every row must have a panel for each of {', '.join(names)}. "
            f"Received: {[len(row) for row in rows]} panels"
        )
    shrunk = [[_shrunk(panel) for panel in row] for row in rows]
    column = _GAP + max(row[0].width for row in shrunk)
    height = _HEADER + sum(_GAP + row[0].height for row in shrunk)
    grid = Image.new("RGB", (column * len(names) - _GAP, height - _GAP), "white")
    draw = ImageDraw.Draw(grid)
    for index, name in enumerate(names):
        draw.text((index * column + 2, 2), name, fill="black")
    top = _HEADER
    for row in shrunk:
        for index, panel in enumerate(row):
            grid.paste(panel, (index * column, top))
        top += _GAP + row[0].height
    return np.asarray(grid)


def label_panels(
    image: np.ndarray, label_maps: Sequence[np.ndarray], palette: np.ndarray
) -> list[Image.Image]:
    """A row for `prediction_grid`: an image and label maps in the colours of their classes.

    Args:
        image: uint8 RGB of shape `(height, width, 3)`.
        label_maps: Class ids, uint8 of shape `(height, width)`; ids beyond the palette, such as
            the ignored label, are black.
        palette: `(classes, 3)` uint8, RGB.

    Raises:
        ValueError: A label map or the palette has the wrong shape or dtype.
    """
    return [Image.fromarray(image), *(label_map_image(each, palette) for each in label_maps)]


def _shrunk(panel: Image.Image) -> Image.Image:
    if panel.width > _WIDEST:
        size = (_WIDEST, max(1, round(panel.height * _WIDEST / panel.width)))
        # Nearest neighbour keeps class colours unblended; smoothness of the image matters less.
        panel = panel.resize(size, Image.Resampling.NEAREST)
    return panel.convert("RGB")
