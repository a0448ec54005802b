"""Which images an export is proven on, and the warning for a size that distorts them."""

import numpy as np
import pytest

from keras_fasterseg.data.image_files import read_sample
from keras_fasterseg.run import proof_images
from keras_fasterseg.run.proof_images import drawn_images, labelled_images, stretch_warning


def test_they_are_spread_over_the_split(camvid):
    samples = camvid.samples("val")
    images = list(labelled_images(camvid, "val", 4))
    assert len(images) == 4
    for index, each in enumerate(images):
        sample = samples[index * len(samples) // 4]
        expected = read_sample(sample, camvid)
        assert each.name == sample.image.name
        np.testing.assert_array_equal(each.image, expected[0])
        np.testing.assert_array_equal(each.labels, expected[1])


def test_both_are_resized_and_labels_stay_labels(camvid):
    (own,) = labelled_images(camvid, "val", 1)
    (small,) = labelled_images(camvid, "val", 1, (96, 160))
    assert small.image.shape == (96, 160, 3)
    assert small.labels.shape == (96, 160)
    assert set(np.unique(small.labels)) <= set(np.unique(own.labels))
    assert abs(float(small.image.mean()) - float(own.image.mean())) < 2.0


def test_the_native_image_is_kept_beside_a_resized_one(camvid, monkeypatch):
    (own,) = labelled_images(camvid, "val", 1)
    assert (own.image.shape, own.native, own.is_resized) == ((360, 480, 3), None, False)
    (small,) = labelled_images(camvid, "val", 1, (96, 128))
    assert small.is_resized
    np.testing.assert_array_equal(small.native[0], own.image)
    np.testing.assert_array_equal(small.native[1], own.labels)
    monkeypatch.setattr(proof_images, "_NATIVE_PIXELS", 360 * 480 - 1)
    (large,) = labelled_images(camvid, "val", 1, (96, 128))
    assert (large.native, large.is_resized) == (None, True)


def test_drawn_ones_are_the_same_every_time():
    first, second = (list(drawn_images(2, (64, 96))) for _ in range(2))
    assert all(each.labels is None for each in first)
    for one, other in zip(first, second, strict=True):
        assert one.image.shape == (64, 96, 3)
        np.testing.assert_array_equal(one.image, other.image)
    assert not np.array_equal(first[0].image, first[1].image)


# CamVid's images are 360 x 480, 4:3.
@pytest.mark.parametrize("size", [(360, 480), (96, 128), (96, 140), (352, 480), (96, 117)])
def test_up_to_a_tenth_is_no_distortion(camvid, size):
    assert stretch_warning(camvid, "val", size, 4) is None


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((480, 360), "1.78 times as high as they are, as if height and width were swapped."),
        ((96, 142), "1.11 times as wide as they are. The network"),
        ((96, 116), "1.10 times as high as they are. The network"),
        ((512, 1024), "1.50 times as wide as they are. The network"),
    ],
)
def test_more_than_a_tenth_is(camvid, size, message):
    warning = stretch_warning(camvid, "val", size, 4)
    assert warning.startswith(f"--input_size={size[0]}x{size[1]} (height x width) makes images of ")
    assert f"(typically 360x480) {message}" in warning
