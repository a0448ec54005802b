"""Frames on their way into a network and back."""

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.video_objects.object_runner import ObjectRunner

SIZE = (64, 96)


class FixedRunner(ObjectRunner):
    """A runner whose foreground is given."""

    network_size = SIZE

    def __init__(self, foreground=None):
        self.foreground = foreground

    def infer(self, images):
        assert images.shape == (1, *SIZE, 3)
        return {"foreground": self.foreground[None]}

    def describe(self):
        return {}


def ramp(height, width):
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows + columns], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("frame_size", "inside"), [((32, 48), SIZE), ((32, 96), (32, 96)), ((90, 45), (64, 32))]
)
def test_frames_keep_their_proportions(frame_size, inside):
    frame = ramp(*frame_size)
    fitted = FixedRunner().resized(frame)
    assert fitted.shape == (*SIZE, 3)
    height, width = inside
    expected = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(fitted[:height, :width], np.asarray(expected))
    np.testing.assert_array_equal(
        fitted[height:], fitted[height - 1 : height].repeat(64 - height, 0)
    )
    np.testing.assert_array_equal(
        fitted[:, width:], fitted[:, width - 1 : width].repeat(96 - width, 1)
    )


def test_a_frame_of_the_same_size_is_not_touched():
    frame = ramp(*SIZE)
    assert FixedRunner().resized(frame) is frame
