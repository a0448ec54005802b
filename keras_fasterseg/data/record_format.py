"""Stores a sample as a TFRecord record: a `tf.train.Example` of image, train ids and name.

Its features are `image` and `label` (bytes), `height` and `width` (int64), `name` and `encoding`
(bytes). The label holds the train ids, 255 where ignored. With the encoding `png`, image and label
are PNG files. With `raw`, they are the pixels, row by row.
"""

import io
import struct

import numpy as np
from google.protobuf import message
from PIL import Image

from keras_fasterseg.data.example_message import Example
from keras_fasterseg.data.image_files import open_image
from keras_fasterseg.data.shard_index import PNG, RAW

# Bytes of a PNG file: width and height, then depth and colour type (PNG, section 11.2.1).
_PNG_SIZE, _PNG_KIND = slice(16, 24), slice(24, 26)
_PNG_KINDS = {"L": b"\x08\x00", "RGB": b"\x08\x02"}


def encode_record(image: np.ndarray, train_ids: np.ndarray, name: str, encoding: str) -> bytes:
    """Encodes a sample as a record. The same sample always gives the same bytes.

    Args:
        image: `(height, width, 3)` uint8.
        train_ids: `(height, width)` uint8.
        name: Name of the sample.
        encoding: Storage of the pixels, one of `ENCODINGS`.
    """
    height, width = train_ids.shape
    texts = {"name": name.encode(), "encoding": encoding.encode()}
    pixels = {"image": _encoded(image, encoding), "label": _encoded(train_ids, encoding)}
    example = Example()
    features = example.features.feature
    for key, value in (*pixels.items(), *texts.items()):
        features[key].bytes_list.value.append(value)
    for key, side in (("height", height), ("width", width)):
        features[key].int64_list.value.append(side)
    # The order of a protocol buffer's map is otherwise undefined.
    return example.SerializeToString(deterministic=True)


def decode_record(record: bytes, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The image `(height, width, 3)` and the train ids `(height, width)` of a record, uint8.

    Raises:
        ValueError: The record has another format, or its image or label has another size or kind.
    """
    features = _features(record)
    return _decoded(features, "image", height, width, 3), _decoded(features, "label", height, width)


def decode_label(record: bytes, height: int, width: int) -> np.ndarray:
    """The train ids of a record, without decoding its image. Raises as `decode_record`."""
    return _decoded(_features(record), "label", height, width)


def _features(record: bytes):
    try:
        return Example.FromString(record).features.feature
    except message.DecodeError as error:
        raise ValueError("it is not a tf.train.Example") from error


def _encoded(pixels: np.ndarray, encoding: str) -> bytes:
    if encoding == RAW:
        return pixels.tobytes()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _decoded(features, key: str, height: int, width: int, *channels: int) -> np.ndarray:
    data, encoding = (_value(features, name) for name in (key, "encoding"))
    if encoding == PNG.encode():
        return _decoded_png(data, key, height, width, "RGB" if channels else "L")
    expected = height * width * (channels or (1,))[0]
    if encoding != RAW.encode() or len(data) != expected:
        raise ValueError(
            f"its {key} must be a PNG file or {expected} bytes of raw pixels, received "
            f"{len(data)} bytes with the encoding {encoding[:20]!r}"
        )
    return np.frombuffer(data, np.uint8).reshape(height, width, *channels)


def _decoded_png(data: bytes, key: str, height: int, width: int, mode: str) -> np.ndarray:
    # Sizes before pixels: a few bytes of PNG can expand to more than memory holds.
    size, kind = data[_PNG_SIZE], data[_PNG_KIND]
    if size != struct.pack(">II", width, height) or kind != _PNG_KINDS[mode]:
        raise ValueError(
            f"its {key} is not an 8-bit {mode} PNG of {height} x {width}, as the index records"
        )
    try:
        with open_image(io.BytesIO(data), ("PNG",)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"its {key} is damaged ({error})") from error


def _value(features, key: str) -> bytes:
    # Check first: reading a missing feature adds it.
    if key not in features or len(features[key].bytes_list.value) != 1:
        raise ValueError(f"it has no {key}")
    return features[key].bytes_list.value[0]
