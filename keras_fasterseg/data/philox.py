"""Random numbers equal to those of TensorFlow's stateless functions on a CPU.

A seed is a pair of integers. Equal seeds give equal numbers, so a stream of batches needs no state.

Reference:
    Philox-4x32-10: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3 (SC 2011), section
    3.3. Its use by TensorFlow: `tf.random.Algorithm.PHILOX` and the headers `philox_random.h`,
    `random_distributions.h` and `shuffle_common.h` of the TensorFlow package.
"""

import itertools
from collections.abc import Iterator

Seed = tuple[int, int]

_WORD = 0xFFFFFFFF
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
# The key with which TensorFlow mixes a seed into a key and a counter.
_SEED_KEY = 0x3EC8F720, 0x02461E29
# A float32 has 23 bits of fraction.
_FRACTION = 0x7FFFFF


def uniform(seed: Seed, count: int) -> list[float]:
    """Returns `count` float32 values in [0, 1), as `tf.random.stateless_uniform`."""
    return [(word & _FRACTION) / (_FRACTION + 1) for word in itertools.islice(_words(seed), count)]


def below(seed: Seed, bound: int) -> int:
    """Returns an integer in [0, bound), as `tf.random.stateless_uniform` with `maxval=bound`."""
    return next(_words(seed)) % bound


def split(seed: Seed, count: int, bits: int = 64) -> list[Seed]:
    """Returns `count` new seeds, as `tf.random.split` of a seed of `bits` (32 or 64)."""
    numbers = _integers(seed, bits)
    return [(next(numbers), next(numbers)) for _ in range(count)]


def fold_in(seed: Seed, number: int, bits: int = 64) -> Seed:
    """Returns a new seed that also depends on `number`.

    As `tf.random.fold_in`, where `number` is an integer of `bits` (32 or 64).
    """
    return next(_integers(seed, bits)), number


def permutation(seed: Seed, count: int) -> list[int]:
    """Returns 0 to `count` - 1 in random order.

    As `tf.random.experimental.stateless_shuffle` of `tf.range(count)`: Fisher and Yates' shuffle
    with one word for each position but the last.
    """
    order = list(range(count))
    for position, word in zip(range(count - 1), _words(seed), strict=False):
        other = position + word % (count - position)
        order[position], order[other] = order[other], order[position]
    return order


def _integers(seed: Seed, bits: int) -> Iterator[int]:
    """Yields signed integers over the full range of `bits`, 32 or 64."""
    words = _words(seed)
    for word in words:
        number = word if bits == 32 else word | next(words) << 32
        yield number - (number >> (bits - 1) << bits)


def _words(seed: Seed) -> Iterator[int]:
    """Yields the unsigned words of 32 bits that belong to a seed, without end."""
    parts = [part for number in seed for part in (number & _WORD, number >> 32 & _WORD)]
    first, second, *counter = _philox(parts, _SEED_KEY)
    for block in itertools.count():
        yield from _philox([block & _WORD, block >> 32, *counter], (first, second))


def _philox(counter: list[int], key: Seed) -> list[int]:
    """Encrypts a counter of four words with a key of two."""
    for step in range(_ROUNDS):
        products = [word * factor for word, factor in zip(counter[::2], _MULTIPLIERS, strict=True)]
        keys = [word + step * added & _WORD for word, added in zip(key, _KEY_STEPS, strict=True)]
        counter = [
            products[1] >> 32 ^ counter[1] ^ keys[0],
            products[1] & _WORD,
            products[0] >> 32 ^ counter[3] ^ keys[1],
            products[0] & _WORD,
        ]
    return counter
