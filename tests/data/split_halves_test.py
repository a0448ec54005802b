import pathlib

import pytest

from keras_fasterseg.data.source import Sample
from keras_fasterseg.data.split_halves import split_halves

SAMPLES = [Sample(pathlib.Path(f"{n}.png"), pathlib.Path(f"{n}_L.png")) for n in range(367)]


def test_halves_are_disjoint_and_cover_all():
    weights, architecture = split_halves(SAMPLES, seed=1)

    assert (len(weights), len(architecture)) == (184, 183)
    assert not set(weights) & set(architecture)
    assert set(weights) | set(architecture) == set(SAMPLES)


def test_the_seed_decides():
    assert split_halves(SAMPLES, seed=1) == split_halves(SAMPLES, seed=1)
    assert split_halves(SAMPLES, seed=1) != split_halves(SAMPLES, seed=2)


def test_one_sample_has_no_halves():
    with pytest.raises(ValueError, match="at least 2 samples, received 1"):
        split_halves(SAMPLES[:1], seed=0)
