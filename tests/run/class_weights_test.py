import math

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.label_statistics import label_histogram
from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.run.class_weights import (
    histogram_weights,
    parse_weights,
    resolve_class_weights,
)

CLASSES = 19


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    return generate(root, num_train=3, num_val=1, height=64, width=128, progress=False)


def test_histogram_weights_are_those_of_enet():
    weights = histogram_weights(np.array([750, 250, 0]))
    expected = [1 / math.log(1.02 + share) for share in (0.75, 0.25, 0.0)]
    assert weights == pytest.approx(expected)
    assert histogram_weights(np.array([5]))[0] == pytest.approx(1 / math.log(2.02))


def test_a_larger_offset_brings_weights_closer(source):
    expected = [1 / math.log(1.1 + share) for share in (0.75, 0.25, 0.0)]
    assert histogram_weights(np.array([750, 250, 0]), 1.1) == pytest.approx(expected)
    samples = source.samples("train")
    histogram = label_histogram(samples, source)
    found = resolve_class_weights("histogram:1.1", source, samples)
    assert found == histogram_weights(histogram, 1.1)


def test_histogram_counts_the_labels_of_training(source):
    samples = source.samples("train")
    weights = resolve_class_weights("histogram", source, samples)
    assert weights == histogram_weights(label_histogram(samples, source))
    assert weights != histogram_weights(label_histogram(source.samples("val"), source))
    counts = np.zeros(256, int)
    for sample in samples:
        counts += np.bincount(np.array(Image.open(sample.label)).ravel(), minlength=256)
    assert counts.sum() == 3 * 64 * 128
    labelled = counts[:CLASSES].sum()
    assert counts[255] == counts.sum() - labelled
    assert weights == pytest.approx([1 / math.log(1.02 + n / labelled) for n in counts[:CLASSES]])


def test_no_labelled_pixel_has_no_weights():
    with pytest.raises(ValueError, match="no pixel is labelled"):
        histogram_weights(np.zeros(3, int))


def test_numbers_are_taken_as_they_are(source):
    setting = ",".join(str(index) for index in range(CLASSES))
    assert resolve_class_weights(setting, source, ()) == tuple(range(CLASSES))
    assert resolve_class_weights(None, source, ()) is None
    assert parse_weights("1.0, 0.5,2e-1") == (1.0, 0.5, 0.2)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("1,2", "one weight for each of the 19 classes. Received: 2 weights"),
        ("median", "numbers separated by commas.* or histogram. Received: 'median'"),
        ("1,,2", "Received: '1,,2'"),
        ("histogram:1", "histogram:NUMBER with a number above 1.* Received: 'histogram:1'"),
        ("histogram:x", "Received: 'histogram:x'"),
        (",".join(["0"] * CLASSES), "not all 0"),
        (",".join(["-1"] * CLASSES), "not negative"),
        (",".join(["nan"] * CLASSES), "finite"),
    ],
)
def test_says_which_weights_are_wrong(source, setting, message):
    with pytest.raises(ValueError, match=message):
        resolve_class_weights(setting, source, source.samples("train"))
