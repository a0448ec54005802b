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

    image, label = decode_record(record, 5, 7)

    assert image.dtype == label.dtype == np.uint8
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(label, LABEL)
    np.testing.assert_array_equal(decode_label(record, 5, 7), LABEL)
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


def changed(stored="png", **features):
    """A record with other features; `None` takes one away."""
    example = tf.train.Example.FromString(encode_record(IMAGE, LABEL, "a", stored))
    for key, value in features.items():
        del example.features.feature[key]
        if value is not None:
            example.features.feature[key].bytes_list.value.append(value)
    return example.SerializeToString()


def stored_png(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def test_a_large_image_comes_back_without_a_word_of_pillow(recwarn):
    """Pillow warns from 89 megapixels on, and refuses from 179 on."""
    label = np.full((12000, 15000), 7, np.uint8)
    record = changed(label=stored_png(label, compress_level=1))

    np.testing.assert_array_equal(decode_label(record, *label.shape), label)
    assert not list(recwarn)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (b"no protocol buffer", r"it is not a tf\.train\.Example"),
        (changed(image=None), "it has no image"),
        (changed(encoding=None), "it has no encoding"),
        (changed(encoding=b"jpeg"), "its image must be a PNG file or 105 bytes of raw .* b'jpeg'"),
        (
            changed("raw", label=b"12345"),
            "its label must be .* or 35 bytes of raw pixels, received 5",
        ),
        (
            changed(label=stored_png(LABEL.T.copy())),
            "its label is not an 8-bit L PNG of 5 x 7, as the",
        ),
        (changed(label=stored_png(IMAGE)), "its label is not an 8-bit L PNG"),
        (changed(image=stored_png(LABEL)), "its image is not an 8-bit RGB PNG of 5 x 7"),
        (changed(image=b""), "its image is not an 8-bit RGB PNG of 5 x 7"),
        (changed(image=stored_png(IMAGE)[:50]), "its image is damaged"),
    ],
)
def test_what_is_wrong_is_said(record, words):
    with pytest.raises(ValueError, match=words) as failure:
        decode_record(record, 5, 7)
    assert "\n" not in str(failure.value)
