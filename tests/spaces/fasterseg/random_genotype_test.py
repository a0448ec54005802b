"""Tests of networks drawn at random: they are of the space, all of it, and widely spread."""

import collections

import numpy as np
import pytest

from keras_fasterseg.latency.operations import work
from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.largest import largest_genotype
from keras_fasterseg.spaces.fasterseg.random_genotype import BRANCH_PAIRS, random_genotype
from keras_fasterseg.spaces.fasterseg.stages import network_stages

WIDTHS = (4 / 12, 6 / 12, 8 / 12, 10 / 12, 1.0)
SPACE = {"base_filters": 12, "width_multipliers": WIDTHS, "stem_head_width": 8 / 12}


def draw(count: int, seed: int = 0, **options) -> list[FasterSegGenotype]:
    generator = np.random.default_rng(seed)
    return [random_genotype(generator, **(SPACE | options)) for _ in range(count)]


def macs(genotype: FasterSegGenotype) -> int:
    """Multiply-accumulates of the deployed network."""
    stages = network_stages(genotype, (128, 256))
    keys = [key for stage in stages if not stage.training_only for key in stage.keys]
    return sum(work(key).macs for key in keys)


def test_a_seed_gives_the_same_networks_again_and_another_seed_others():
    assert draw(5, seed=1) == draw(5, seed=1)
    assert not {each.id for each in draw(5, seed=1)} & {each.id for each in draw(5, seed=2)}


def test_every_network_is_of_the_space_and_survives_json():
    for genotype in draw(50):
        assert FasterSegGenotype.from_json(genotype.to_json()) == genotype
        assert tuple(branch.scale for branch in genotype.branches) in BRANCH_PAIRS
        assert (genotype.stem_width, genotype.head_width) == (8 / 12, 8 / 12)
        for branch in genotype.branches:
            assert {cell.width for cell in branch.cells} <= set(WIDTHS)


def test_pairs_of_branches_and_the_choices_of_all_cells_come_up():
    genotypes = draw(400)
    pairs = collections.Counter(
        tuple(branch.scale for branch in genotype.branches) for genotype in genotypes
    )
    # Four standard deviations of 400 tosses of a coin are 40.
    assert abs(pairs[32, 8] - 200) < 40
    assert pairs[32, 16] == 400 - pairs[32, 8]
    cells = [cell for each in genotypes for branch in each.branches for cell in branch.cells]
    assert {cell.primitive for cell in cells} == set(PRIMITIVES) - {"skip"}
    assert {cell.width for cell in cells} == set(WIDTHS)
    descents = collections.Counter(cell.layer for cell in cells if cell.stride == 2)
    # The cells at layers 2 to 12 are those where a path of 16 layers may first descend.
    assert set(range(2, 13)) <= set(descents)


def test_networks_are_small_and_large():
    # Three widths: with five, there are more operations to count.
    amounts = np.array([macs(each) for each in draw(200, width_multipliers=(4 / 12, 8 / 12, 1.0))])
    largest = macs(largest_genotype(16, base_filters=12, stem_head_width=8 / 12))
    assert amounts.max() <= largest
    assert amounts.max() > 0.5 * largest
    assert amounts.min() < 0.25 * largest
    # Choices that are uniform in every cell have a coefficient of variation of .14 and end at .36.
    assert amounts.std() > 0.25 * amounts.mean()


def test_without_skips_no_cell_is_removed():
    for genotype in draw(10, num_layers=6, allow_skip=False):
        assert all(len(branch.cells) == 6 for branch in genotype.branches)
    removed = draw(40, num_layers=8)
    assert any(len(branch.cells) < 8 for each in removed for branch in each.branches)


def test_a_single_width_is_the_only_one():
    for genotype in draw(5, width_multipliers=(1.0,), stem_head_width=1.0):
        assert {cell.width for branch in genotype.branches for cell in branch.cells} == {1.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 3}, "too few for a path to scale 32"),
        ({"width_multipliers": (0.5, 1.5)}, "width_multipliers"),
        ({"base_filters": 0}, "base_filters"),
    ],
)
def test_what_is_no_space_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        draw(1, **options)
