import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_fasterseg.data.record_format import decode_label, decode_record, encode_record

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (5, 7, 3), np.uint8)
LABEL = RNG.integers(0, 256, (5, 7), np.uint8)


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_pixels_come_back(encoding):
    record = encode_record(IMAGE, LABEL, "a/b.png", encoding)

    image, label = decode_record(record)

    assert image.dtype == label.dtype == np.uint8
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(label, LABEL)
    np.testing.assert_array_equal(decode_label(record), LABEL)
    assert encode_record(IMAGE, LABEL, "a/b.png", encoding) == record


def test_tensorflow_reads_what_others_need():
    text, number = tf.io.FixedLenFeature([], tf.string), tf.io.FixedLenFeature([], tf.int64)
    keys = {"image": text, "label": text, "name": text, "encoding": text}
    keys |= {"height": number, "width": number}

    raw = tf.io.parse_single_example(encode_record(IMAGE, LABEL, "ä.png", "raw"), keys)
    png = tf.io.parse_single_example(encode_record(IMAGE, LABEL, "ä.png", "png"), keys)

    assert (int(raw["height"]), int(raw["width"])) == (5, 7)
    assert raw["name"].numpy().decode() == "ä.png"
    assert raw["encoding"].numpy() == b"raw"
    assert raw["image"].numpy() == IMAGE.tobytes()
    assert raw["label"].numpy() == LABEL.tobytes()
    np.testing.assert_array_equal(tf.io.decode_png(png["image"]), IMAGE)
    np.testing.assert_array_equal(Image.open(io.BytesIO(png["label"].numpy())), LABEL)
