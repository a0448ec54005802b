import pathlib

import numpy as np
import pytest

from keras_fasterseg.data.search_parts import search_parts
from keras_fasterseg.data.source import Sample

SAMPLES = [Sample(pathlib.Path(f"{n}.png"), pathlib.Path(f"{n}_L.png")) for n in range(367)]


def test_parts_are_disjoint_and_cover_all():
    parts = search_parts(SAMPLES, seed=1)

    sizes = [len(each) for each in (parts.held_out, parts.weights, parts.architecture)]
    assert sizes == [36, 166, 165]
    assert {*parts.held_out, *parts.weights, *parts.architecture} == set(SAMPLES)
    assert {*parts.weights, *parts.architecture} == set(parts.fitted)
    assert len(parts.fitted) == 331
    for part in (parts.held_out, parts.fitted, parts.weights, parts.architecture):
        assert list(part) == [each for each in SAMPLES if each in part]


def test_held_out_samples_are_evenly_spaced():
    held_out = search_parts(SAMPLES, seed=1).held_out
    steps = np.diff([SAMPLES.index(each) for each in held_out])
    assert set(steps) == {10, 11}


def test_the_seed_decides_the_halves_only():
    assert search_parts(SAMPLES, seed=1) == search_parts(SAMPLES, seed=1)
    one, two = search_parts(SAMPLES, seed=1), search_parts(SAMPLES, seed=2)
    assert one.weights != two.weights
    assert (one.held_out, one.fitted) == (two.held_out, two.fitted)


def test_three_samples_are_the_fewest():
    parts = search_parts(SAMPLES[:3], seed=0)
    assert [len(each) for each in (parts.held_out, parts.weights, parts.architecture)] == [1, 1, 1]
    with pytest.raises(ValueError, match="at least 3 training images"):
        search_parts(SAMPLES[:2], seed=0)
