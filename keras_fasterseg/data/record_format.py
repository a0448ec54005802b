"""A sample as a record of a TFRecord file: a `tf.train.Example` of image, train ids and name.

Its features are `image` and `label` (bytes), `height` and `width` (int64), `name` and `encoding`
(bytes). The label is the train ids, 255 where ignored. With the encoding `png` both are PNG files,
with `raw` they are the pixels row by row.
"""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_fasterseg.data.shard_index import PNG, RAW


def encode_record(image: np.ndarray, train_ids: np.ndarray, name: str, encoding: str) -> bytes:
    """The record of a sample; the same bytes for the same sample.

    Args:
        image: `(height, width, 3)` uint8.
        train_ids: `(height, width)` uint8.
        name: What the sample is called.
        encoding: How pixels are stored, see `ENCODINGS`.
    """
    height, width = train_ids.shape
    texts = {"name": name.encode(), "encoding": encoding.encode()}
    pixels = {"image": _encoded(image, encoding), "label": _encoded(train_ids, encoding)}
    features = {
        **{key: _bytes_feature(value) for key, value in (*pixels.items(), *texts.items())},
        "height": _int_feature(height),
        "width": _int_feature(width),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    # A protocol buffer's map has no order of its own.
    return example.SerializeToString(deterministic=True)


def decode_record(record: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The image `(height, width, 3)` and the train ids `(height, width)` of a record, uint8."""
    features = _features(record)
    return _decoded(features, "image", 3), _decoded(features, "label")


def decode_label(record: bytes) -> np.ndarray:
    """The train ids `(height, width)` uint8 of a record, whose image is not decoded."""
    return _decoded(_features(record), "label")


def _features(record: bytes):
    return tf.train.Example.FromString(record).features.feature


def _encoded(pixels: np.ndarray, encoding: str) -> bytes:
    if encoding == RAW:
        return pixels.tobytes()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _decoded(features, key: str, *channels: int) -> np.ndarray:
    data = features[key].bytes_list.value[0]
    if features["encoding"].bytes_list.value[0] == PNG.encode():
        return np.asarray(Image.open(io.BytesIO(data)))
    height, width = (features[side].int64_list.value[0] for side in ("height", "width"))
    return np.frombuffer(data, np.uint8).reshape(height, width, *channels)


def _bytes_feature(value: bytes):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int_feature(value: int):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
