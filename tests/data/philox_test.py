"""Random numbers compared bit by bit with TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.data import philox

SEEDS = [
    (0, 0),
    (1, 0),
    (-1, 7),
    (2**31 - 1, -(2**31)),
    *np.random.default_rng(0).integers(-(2**63), 2**63, (20, 2)).tolist(),
]


def test_the_generator_gives_the_numbers_of_its_authors():
    """The known answers of Random123 (`kat_vectors`, `philox4x32 10`)."""
    ones = 0xFFFFFFFF
    assert philox._philox([0] * 4, (0, 0)) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox._philox([ones] * 4, (ones, ones)) == [
        0x408F276D,
        0x41C83B0E,
        0xA20BC7C6,
        0x6D5451FD,
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_are_those_of_tensorflow(seed):
    given = tf.constant(seed, tf.int64)
    expected = tf.random.stateless_uniform((11,), given).numpy()
    np.testing.assert_array_equal(np.float32(philox.uniform(seed, 11)), expected)
    for bound in (1, 2, 3, 5, 1000, 2**31 - 1):
        drawn = tf.random.stateless_uniform((), given, maxval=bound, dtype=tf.int32)
        assert philox.below(seed, bound) == int(drawn)
    assert philox.split(seed, 3) == [tuple(each) for each in tf.random.split(given, 3).numpy()]
    for number in (0, 1, 123_456_789_012):
        folded = tf.random.fold_in(given, tf.constant(number, tf.int64))
        assert philox.fold_in(seed, number) == tuple(folded.numpy())
    folded = tf.random.fold_in(given, 0)
    assert folded.dtype == tf.int32
    assert philox.fold_in(seed, 0, bits=32) == tuple(folded.numpy())


@pytest.mark.parametrize("seed", [0, 1, 77, 2**31 - 1])
def test_a_seed_of_32_bits_is_split_into_seeds_of_32_bits(seed):
    expected = tf.random.split((seed, 0), 2)
    assert expected.dtype == tf.int32
    assert philox.split((seed, 0), 2, bits=32) == [tuple(each) for each in expected.numpy()]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 10, 97, 2000])
def test_orders_are_those_of_tensorflow(count):
    for seed in SEEDS[:8]:
        expected = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), tf.constant(seed, tf.int64)
        )
        assert philox.permutation(seed, count) == expected.numpy().tolist()
