import numpy as np
import pytest

from keras_fasterseg.runtimes.base import Runner, check_images


class _Brightness(Runner):
    """Class 1 where the red channel is above 127."""

    loads = 0

    def load(self):
        self.loads += 1

    def synchronize(self):
        pass

    def describe(self):
        return {}

    def _class_ids(self, images):
        return (images[..., 0] > 127).astype(np.uint8)

    def _logits(self, images):
        return np.stack([255.0 - images[..., 0], images[..., 0]], -1).astype(np.float32)


def test_calls_load_before_they_run():
    runner = _Brightness()
    images = np.full((1, 32, 32, 3), 200, np.uint8)
    np.testing.assert_array_equal(runner(images), np.ones((1, 32, 32)))
    assert runner.loads == 1
    np.testing.assert_array_equal(runner.logits(images)[0, 0, 0], [55.0, 200.0])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 32, 32, 3), np.float32), "float32"),
        (np.zeros((32, 32, 3), np.uint8), r"\(32, 32, 3\)"),
        (np.zeros((1, 32, 32, 1), np.uint8), r"\(1, 32, 32, 1\)"),
        (np.zeros((0, 32, 32, 3), np.uint8), r"\(0, 32, 32, 3\)"),
        ([[[[0, 0, 0]]]], "list"),
        (np.zeros((1, 31, 64, 3), np.uint8), "at least 32"),
        (np.zeros((1, 64, 31, 3), np.uint8), "at least 32"),
    ],
)
def test_images_that_no_network_can_take_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        check_images(images)
    with pytest.raises(ValueError, match=message):
        _Brightness()(images)
    with pytest.raises(ValueError, match=message):
        _Brightness().logits(images)
