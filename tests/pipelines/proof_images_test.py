import numpy as np

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.image_files import read_sample
from keras_fasterseg.pipelines.proof_images import drawn_images, labelled_images
from tests.shared import shared_path


def test_they_are_spread_over_the_split():
    source = CamVid(shared_path("camvid"))
    samples = source.samples("val")
    pairs = list(labelled_images(source, "val", 4))
    assert len(pairs) == 4
    for index, (image, labels) in enumerate(pairs):
        expected = read_sample(samples[index * len(samples) // 4], source)
        np.testing.assert_array_equal(image, expected[0])
        np.testing.assert_array_equal(labels, expected[1])


def test_both_are_resized_and_labels_stay_labels():
    source = CamVid(shared_path("camvid"))
    (pair,) = labelled_images(source, "val", 1)
    ((image, labels),) = labelled_images(source, "val", 1, (96, 160))
    assert image.shape == (96, 160, 3)
    assert labels.shape == (96, 160)
    assert set(np.unique(labels)) <= set(np.unique(pair[1]))
    assert abs(float(image.mean()) - float(pair[0].mean())) < 2.0


def test_drawn_ones_are_the_same_every_time():
    first, second = (list(drawn_images(2, (64, 96))) for _ in range(2))
    assert all(labels is None for _, labels in first)
    for (image, _), (again, _) in zip(first, second, strict=True):
        assert image.shape == (64, 96, 3)
        np.testing.assert_array_equal(image, again)
    assert not np.array_equal(first[0][0], first[1][0])
