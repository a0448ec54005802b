"""Frames of records compared with TensorFlow's writer."""

import io

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.data.record_file import crc32c, write_record

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # RFC 3720, appendix B.4.
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_checksums_are_those_of_the_standard(data, expected):
    assert crc32c(data) == expected


def test_files_are_those_of_tensorflow(tmp_path):
    """Sizes around those of the pieces that are computed together."""
    sizes = (0, 1, 4, 255, 256, 257, 511, 512, 513, 5000, 131_072, 1_000_003)
    records = [RNG.bytes(size) for size in sizes]
    with tf.io.TFRecordWriter(str(tmp_path / "expected")) as writer:
        for record in records:
            writer.write(record)
    file = io.BytesIO()
    for record in records:
        write_record(file, record)
    assert file.getvalue() == (tmp_path / "expected").read_bytes()
