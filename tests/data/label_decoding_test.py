import numpy as np
import pytest

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import load_label
from keras_fasterseg.data.label_decoding import decode_label, readings_of_few_bits
from keras_fasterseg.data.source import NOT_ALLOWED
from tests.data.image_files_test import IMAGE, LABEL


def test_decoding_keeps_what_is_unknown(make_camvid):
    label = LABEL.copy()
    label[1, 2], label[4, 5], label[4, 6] = 12, 200, 12
    source = make_camvid([(IMAGE, label)])
    (sample,) = source.samples("train")
    stored = load_label(sample.label, source)

    decoded = decode_label(stored.pixels, stored.encoding, sample.label, source)

    expected = np.where(LABEL == 11, 255, LABEL)
    expected[label > 11] = NOT_ALLOWED
    np.testing.assert_array_equal(decoded.train_ids, expected)
    np.testing.assert_array_equal(decoded.unknown, [12, 200, 12])
    with pytest.raises(DataError, match="holds the id 12"):
        decoded.check(sample.label, source)


def test_two_readings_of_few_bits(make_camvid):
    """Of CamVid's ids 0 to 10, and 11 for void, the multiples of 85 below 255 are 0 alone."""
    source = make_camvid([(IMAGE, LABEL)])
    plain, stretched = readings_of_few_bits(2, source)
    assert plain.tolist() == [0, 1, 2, 3]
    assert stretched.tolist() == [0, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED]
    plain, _ = readings_of_few_bits(4, source)
    assert plain.tolist() == [*range(11), 255, *[NOT_ALLOWED] * 4]
