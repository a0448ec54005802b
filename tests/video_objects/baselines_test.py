"""Followers of objects that need no training."""

import numpy as np

from keras_fasterseg.video_objects.baselines import ComponentRunner, first_mask_copied
from tests.video_objects.object_runner_test import SIZE, FixedRunner, ramp


def test_components_of_the_foreground_are_proposals():
    foreground = np.zeros((8, 12), np.float32)
    foreground[1:4, 1:4], foreground[5:8, 6:11] = 0.9, 0.8
    proposals = ComponentRunner(FixedRunner(foreground))(ramp(*SIZE))
    assert proposals.masks.shape == (2, *SIZE)
    for mask, (top, left, bottom, right), value in zip(
        proposals.masks, ((16, 16, 24, 24), (48, 56, 56, 80)), (0.9, 0.8), strict=True
    ):
        np.testing.assert_allclose(mask[top:bottom, left:right], value, atol=1e-6)
    assert not (proposals.masks.min(axis=0) > 0).any()
    nothing = ComponentRunner(FixedRunner(0 * foreground))(ramp(30, 60))
    assert nothing.masks.shape == (0, 30, 60)


def test_the_first_mask_is_copied_without_void():
    mask = np.array([[0, 2], [255, 1]], np.uint8)
    copies = first_mask_copied([mask] * 3, mask)
    np.testing.assert_array_equal(copies, [[[0, 2], [0, 1]]] * 3)
