import io

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.visualization.label_map import label_map_image, overlay_image
from tests.stand_in import random_images

CLASS_IDS = np.array([[0, 1, 2], [2, 200, 255]], np.uint8)
PALETTE = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], np.uint8)


def test_a_label_map_holds_ids_and_shows_colours():
    file = io.BytesIO()
    label_map_image(CLASS_IDS, PALETTE).save(file, "png")
    image = Image.open(file)
    np.testing.assert_array_equal(np.asarray(image), CLASS_IDS)
    shown = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(shown[0], PALETTE)
    assert not shown[1, 1:].any()


@pytest.mark.parametrize("opacity", [0.0, 0.25, 1.0])
def test_an_overlay_mixes_image_and_colours(opacity):
    pixels = random_images(2, 3)
    colors = np.zeros((2, 3, 3))
    colors[0], colors[1, 0] = PALETTE, PALETTE[2]
    mixed = (1 - opacity) * pixels + opacity * colors
    received = np.asarray(overlay_image(pixels, CLASS_IDS, PALETTE, opacity))
    assert received.shape == (2, 3, 3)
    assert np.abs(received - mixed).max() <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_ids": CLASS_IDS.astype(int)}, "`class_ids` must be uint8"),
        ({"class_ids": CLASS_IDS[np.newaxis]}, r"Received: uint8 of shape \(1, 2, 3\)"),
        ({"palette": PALETTE[:, :2]}, "`palette` must be uint8"),
        ({"palette": PALETTE.astype(float)}, "`palette` must be uint8"),
        ({"palette": np.zeros((257, 3), np.uint8)}, "at most 256 classes"),
        ({"image": random_images(3, 3)}, r"uint8 of shape \(2, 3, 3\)"),
        ({"opacity": 1.5}, "opacity=1.5"),
    ],
)
def test_wrong_arguments(changes, message):
    good = {"image": random_images(2, 3), "class_ids": CLASS_IDS, "palette": PALETTE}
    with pytest.raises(ValueError, match=message):
        overlay_image(**{**good, **changes})
