"""Expected costs against published numbers, and against sums over all networks of a small space."""

import dataclasses
import itertools

import numpy as np
import pytest

from keras_fasterseg.latency.interpolation import number_grid
from keras_fasterseg.spaces.joint.architecture import (
    EARLY_DEPTH,
    LATE_DEPTH,
    JointArchitecture,
    fixed_choices,
    group_shapes,
)
from keras_fasterseg.spaces.joint.choices import operations, reached
from keras_fasterseg.spaces.joint.expected_cost import (
    StageLatencies,
    expected_gflops,
    expected_latency,
)
from keras_fasterseg.spaces.joint.settings import JointSettings

PAPER = JointSettings(early_blocks=5, late_blocks=8, choose_depth=False)
# One operation and two widths keep the number of networks at 2^8 * 3.
SMALL = JointSettings(
    early_blocks=1, late_blocks=2, filter_choices=2, filter_step=32, dilations=(1,)
)
# [input, middle, last] filters of the published blocks; the fifth and the last are pooled.
PUBLISHED = (
    [(64, 64, 64), (64, 60, 52), (52, 64, 44), (44, 60, 48)],
    [
        (128, 112, 124), (124, 128, 120), (120, 108, 116), (116, 124, 124), (124, 120, 120),
        (120, 124, 128), (128, 120, 124), (124, 100, 124), (124, 96, 124),
    ],
)  # fmt: skip
POOLED = (4, 12)


def gflops(choices, settings):
    return float(expected_gflops(choices, settings))


def picked(settings, operation=0, width=0):
    """All blocks, each with the same operation and width."""
    shapes = group_shapes(settings)
    indexes = {name: np.zeros(shape[:-1], "int32") for name, shape in shapes.items()}
    indexes[EARLY_DEPTH] += settings.early_blocks - 1
    indexes[LATE_DEPTH] += settings.late_blocks - 1
    indexes["operation"] += operation
    indexes["middle"] += width
    indexes["last"] += width
    return indexes


def test_the_full_space_has_the_published_operations():
    full = fixed_choices(PAPER, picked(PAPER))
    assert gflops(full, PAPER) == pytest.approx(11.1119, abs=5e-5)


def test_the_smallest_network_has_the_published_operations():
    smallest = fixed_choices(PAPER, picked(PAPER, operation=5, width=8))
    assert gflops(smallest, PAPER) == pytest.approx(1.7492, abs=5e-5)


def test_the_uniform_start_has_the_published_operations_and_penalty():
    start = JointArchitecture(PAPER).probabilities()
    found = gflops(start, PAPER)
    assert found == pytest.approx(5.1860, abs=5e-5)
    assert (found / PAPER.flops_full - PAPER.flops_share) ** 2 == pytest.approx(0.018308, abs=5e-7)


def test_the_published_encoder_has_the_published_operations():
    settings = JointSettings(early_blocks=4, late_blocks=9)
    indexes = picked(settings)
    for block, (_, middle, last) in enumerate(itertools.chain(*PUBLISHED)):
        largest = 64 if block < 4 else 128
        operation = 5 * (block in POOLED)
        indexes["operation"][block] = operation
        indexes["middle"][block, operation] = (largest - middle) // 4
        indexes["last"][block, operation] = (largest - last) // 4
    assert gflops(fixed_choices(settings, indexes), settings) == pytest.approx(8.5268, abs=5e-5)


def test_blocks_count_with_the_probability_of_their_depth():
    np.testing.assert_allclose(reached(np.float32([0.5, 0.3, 0.2])), [1.0, 0.5, 0.2], rtol=1e-6)


def all_networks(settings, choices):
    """Every network with its probability, as the indexes of `fixed_choices`."""
    groups = {EARLY_DEPTH: choices["depth"][0], LATE_DEPTH: choices["depth"][1]}
    groups |= {name: choices[name] for name in ("operation", "middle", "last")}
    places = [(name, index) for name, p in groups.items() for index in np.ndindex(p.shape[:-1])]
    counts = [range(groups[name].shape[-1]) for name, _ in places]
    for entries in itertools.product(*counts):
        indexes = {name: np.zeros(p.shape[:-1], "int32") for name, p in groups.items()}
        probability = 1.0
        for (name, index), entry in zip(places, entries, strict=True):
            indexes[name][index] = entry
            probability *= float(groups[name][(*index, entry)])
        yield probability, indexes


def random_choices(settings, seed):
    generator, architecture = np.random.default_rng(seed), JointArchitecture(settings)
    for logits in architecture.logits.values():
        logits.assign(generator.normal(0, 2, logits.shape))
    return keras_free(architecture.probabilities())


def keras_free(choices):
    depth = tuple(np.asarray(each) for each in choices["depth"])
    return {"depth": depth} | {
        name: np.array(choices[name]) for name in ("operation", "middle", "last")
    }


@pytest.fixture(scope="module")
def networks():
    # Without pooling only one operation is left, and its width group matters.
    choices = random_choices(SMALL, 0)
    choices["operation"] = np.float32([[1.0, 0.0]] * 3)
    for name in ("middle", "last"):
        choices[name][:, 1] = [1.0, 0.0]
    found = [each for each in all_networks(SMALL, choices) if each[0] > 0]
    return choices, found


def test_expected_operations_are_the_mean_over_all_networks(networks):
    choices, found = networks
    assert sum(probability for probability, _ in found) == pytest.approx(1, abs=1e-5)
    expected = sum(
        probability * gflops(fixed_choices(SMALL, indexes), SMALL) for probability, indexes in found
    )
    # The third downsampler is quadratic in the width before it; the paper inserts its mean.
    widths = np.float32(SMALL.widths(64))
    share = choices["last"][0, 0]
    mean = float(share @ widths)
    variance = float(share @ (widths - mean) ** 2)
    pixels = 64 * 128
    assert gflops(choices, SMALL) == pytest.approx(expected + 9 * variance * pixels / 1e9, rel=1e-5)


def random_costs(settings, seed):
    generator = np.random.default_rng(seed)
    costs = []
    for filters in (settings.early_filters, settings.late_filters):
        grid, weights = number_grid(settings.widths(filters))
        rows = generator.uniform(1, 2, (len(operations(settings)), *[len(grid)] * 3))
        exits = generator.uniform(1, 2, len(weights))
        costs.append(StageLatencies(weights, np.float32(rows), np.float32(exits)))
    return costs


def test_expected_latency_is_the_mean_over_all_networks(networks):
    choices, found = networks
    costs = random_costs(SMALL, 0)
    expected = 0.0
    for probability, indexes in found:
        first = 0
        for stage, (depth, cost) in enumerate(zip((EARLY_DEPTH, LATE_DEPTH), costs, strict=True)):
            width, ms = 0, 0.0
            for block in range(first, first + int(indexes[depth]) + 1):
                operation = indexes["operation"][block]
                middle, last = (indexes[name][block, operation] for name in ("middle", "last"))
                # Both widths are on the grid, which ascends.
                at = [len(cost.grid[0]) - 1 - each for each in (width, middle, last)]
                ms += cost.rows[(operation, *at)]
                width = last
            expected += probability * (ms + cost.exit[width])
            first += SMALL.early_blocks if stage == 0 else 0
    assert float(expected_latency(choices, SMALL, costs)) == pytest.approx(expected, rel=1e-5)


def test_costs_grow_with_every_choice_of_more_work():
    wide = fixed_choices(PAPER, picked(PAPER))
    for changes in ({"operation": 5}, {"width": 1}):
        assert gflops(fixed_choices(PAPER, picked(PAPER, **changes)), PAPER) < gflops(wide, PAPER)
    fewer = dataclasses.replace(PAPER, late_blocks=7)
    assert gflops(fixed_choices(fewer, picked(fewer)), fewer) < gflops(wide, PAPER)
