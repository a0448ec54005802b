"""Architecture parameters of the joint space, and how they shrink."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.spaces.joint.architecture import (
    EARLY_DEPTH,
    LATE_DEPTH,
    JointArchitecture,
    choices_left,
    group_shapes,
    is_decided,
    log10_networks,
    shrunk,
)
from keras_fasterseg.spaces.joint.settings import JointSettings

SMALL = JointSettings(
    early_blocks=2, late_blocks=3, filter_choices=3, filter_step=8, dilations=(1, 2)
)


def full_masks(settings):
    return {name: np.ones(shape, bool) for name, shape in group_shapes(settings).items()}


def uniform(settings):
    return {
        name: np.full(shape, 1 / shape[-1], "float32")
        for name, shape in group_shapes(settings).items()
    }


def random_probabilities(masks, generator):
    found = {}
    for name, mask in masks.items():
        values = generator.exponential(size=mask.shape) ** 3 * mask
        found[name] = values / values.sum(axis=-1, keepdims=True)
    return found


def test_the_published_sizes():
    shapes = group_shapes(JointSettings(early_blocks=5, late_blocks=8))
    assert shapes["operation"] == (13, 10)
    assert shapes["middle"] == shapes["last"] == (13, 10, 9)
    default = group_shapes(JointSettings())
    assert default[EARLY_DEPTH] == (8,)
    assert default[LATE_DEPTH] == (12,)


def test_the_size_of_the_space_without_depth():
    settings = JointSettings(early_blocks=5, late_blocks=8, choose_depth=False)
    masks = JointArchitecture(settings).masks()
    assert log10_networks(masks) == pytest.approx(13 * math.log10(810), abs=1e-9)
    assert 10 ** log10_networks(masks) == pytest.approx(6.461e37, rel=1e-3)
    assert choices_left(masks) == {
        "depth": 2, "operation": 130, "middle": 1170, "last": 1170
    }  # fmt: skip


def test_the_size_of_the_space_with_depth():
    masks = full_masks(SMALL)
    block = 4 * 9
    expected = (block + block**2) * (block + block**2 + block**3)
    assert log10_networks(masks) == pytest.approx(math.log10(expected), abs=1e-9)


def test_all_choices_start_uniform():
    choices = JointArchitecture(SMALL).probabilities()
    for groups in tf.nest.flatten(choices):
        np.testing.assert_allclose(groups, 1 / groups.shape[-1], rtol=1e-6)


def test_uniform_choices_do_not_shrink():
    masks = full_masks(SMALL)
    after = shrunk(masks, uniform(SMALL), SMALL)
    for name, mask in masks.items():
        np.testing.assert_array_equal(after[name], mask)


def test_a_choice_at_the_ratio_goes_and_one_above_stays():
    probabilities = uniform(SMALL)
    probabilities["middle"][0, 0] = [1.0, 0.1, 0.11]
    after = shrunk(full_masks(SMALL), probabilities, SMALL)
    np.testing.assert_array_equal(after["middle"][0, 0], [True, False, True])
    assert after["middle"].sum() == full_masks(SMALL)["middle"].sum() - 1


def test_a_dropped_operation_collapses_its_widths_to_the_likeliest():
    probabilities = uniform(SMALL)
    probabilities["operation"][1] = [0.9, 0.05, 0.04, 0.01]
    probabilities["last"][1, 2] = [0.3, 0.4, 0.3]
    after = shrunk(full_masks(SMALL), probabilities, SMALL)
    np.testing.assert_array_equal(after["operation"][1], [True, False, False, False])
    np.testing.assert_array_equal(after["last"][1, 2], [False, True, False])
    assert after["last"][1, 0].all()
    assert after["middle"][0].all()


def test_a_block_behind_the_largest_depth_collapses():
    probabilities = uniform(SMALL)
    probabilities[LATE_DEPTH][:] = [0.6, 0.35, 0.05]
    after = shrunk(full_masks(SMALL), probabilities, SMALL)
    np.testing.assert_array_equal(after[LATE_DEPTH], [True, True, False])
    for name in ("operation", "middle", "last"):
        assert (after[name][4].sum(axis=-1) == 1).all()
        assert after[name][:4].all()


def test_shrinking_is_monotone_and_never_empties_a_group():
    generator = np.random.default_rng(0)
    masks = full_masks(SMALL)
    networks = [log10_networks(masks)]
    for _ in range(20):
        after = shrunk(masks, random_probabilities(masks, generator), SMALL)
        for name, mask in after.items():
            assert not (mask & ~masks[name]).any(), name
            assert mask.any(axis=-1).all(), name
        masks = after
        networks.append(log10_networks(masks))
    assert networks == sorted(networks, reverse=True)
    assert is_decided(masks)
    assert networks[-1] == 0


def test_the_likeliest_of_a_group_survives():
    masks, generator = full_masks(SMALL), np.random.default_rng(1)
    probabilities = random_probabilities(masks, generator)
    after = shrunk(masks, probabilities, SMALL)
    for name, values in probabilities.items():
        best = values.argmax(axis=-1)
        assert np.take_along_axis(after[name], best[..., None], axis=-1).all(), name


def test_nothing_is_shared_with_the_masks_before():
    masks = full_masks(SMALL)
    probabilities = random_probabilities(masks, np.random.default_rng(2))
    shrunk(masks, probabilities, SMALL)
    assert all(mask.all() for mask in masks.values())


def test_the_layer_shrinks_its_own_choices():
    architecture = JointArchitecture(SMALL)
    logits = np.zeros(architecture.logits["operation"].shape, "float32")
    logits[:, 1:] = -20
    architecture.logits["operation"].assign(logits)
    architecture.shrink()
    np.testing.assert_array_equal(
        architecture.masks()["operation"], np.arange(4)[None] == np.zeros((5, 1))
    )
    choices = architecture.probabilities()
    np.testing.assert_array_equal(choices["operation"][:, 0], 1)
    assert choices_left(architecture.masks())["operation"] == 5


def test_without_a_choice_of_depth_all_blocks_stay():
    architecture = JointArchitecture(JointSettings(choose_depth=False))
    early, late = architecture.probabilities()["depth"]
    np.testing.assert_array_equal(early, np.eye(8)[-1])
    np.testing.assert_array_equal(late, np.eye(12)[-1])
