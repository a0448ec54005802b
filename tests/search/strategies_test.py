import numpy as np
import pytest

from keras_fasterseg.search.candidates import Candidate
from keras_fasterseg.search.strategies import evolution, most_expensive, random_networks
from keras_fasterseg.spaces.cost import network_work
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.space import FasterSegSpace

SPACE = FasterSegSpace(FasterSegSettings(6, 4, (0.5, 1.0), student_width=0.5))
SIZE = (64, 128)


def latency_ms(genotype):
    return network_work(genotype, SIZE, 3).macs / 1e6


def score(genotype):
    """The share of cells that are a `conv_2x_downup`: one of five primitives is best."""
    cells = [cell for branch in genotype.branches for cell in branch.cells]
    good = np.mean([cell.primitive == "conv_2x_downup" for cell in cells])
    return Candidate("", genotype, float(good), latency_ms(genotype))


def test_evolution_scores_different_networks_of_one_seed():
    first = evolution(SPACE, score, networks=30, population=6, seed=1)
    assert len({each.genotype.id for each in first}) == len(first) == 30
    assert evolution(SPACE, score, networks=30, population=6, seed=1) == first
    assert evolution(SPACE, score, networks=30, population=6, seed=2) != first


def test_evolution_learns_what_scores_well():
    found = evolution(SPACE, score, networks=120, population=12, seed=0)
    generator = np.random.default_rng(0)
    drawn = [score(SPACE.from_genes(SPACE.random_genes(generator))) for _ in range(120)]
    assert np.mean([each.miou for each in found[60:]]) > 1.3 * np.mean(
        [each.miou for each in drawn]
    )


def test_evolution_scores_nothing_twice():
    calls = []

    def counted(genotype):
        calls.append(genotype.id)
        return score(genotype)

    evolution(SPACE, counted, networks=25, population=5, seed=0)
    assert len(calls) == len(set(calls)) == 25


def test_a_score_that_is_no_number_is_the_lowest():
    def some(genotype):
        found = score(genotype)
        return Candidate("", genotype, float("nan"), 1.0) if found.miou < 0.1 else found

    assert len(evolution(SPACE, some, networks=12, population=4, seed=0)) == 12


def test_random_networks_are_inside_the_band_and_different():
    band = (100.0, 250.0)
    found = random_networks(SPACE, latency_ms, band, 20, seed=3)
    assert len({each.id for each in found}) == 20
    assert all(band[0] <= 1000 / latency_ms(each) <= band[1] for each in found)


def test_the_most_expensive_network_of_a_band():
    band = (100.0, 250.0)
    largest = most_expensive(SPACE, latency_ms, latency_ms, band, seed=3)
    found = random_networks(SPACE, latency_ms, band, 100, seed=3)
    assert latency_ms(largest) >= max(map(latency_ms, found))


def test_an_empty_band():
    with pytest.raises(ValueError, match=r"None of 2000 random networks .* 1e\+09 to 2e\+09 FPS"):
        most_expensive(SPACE, latency_ms, latency_ms, (1e9, 2e9), seed=0)
    with pytest.raises(ValueError, match="Set another --search_min_fps"):
        random_networks(SPACE, latency_ms, (1e9, 2e9), 3, seed=0)
