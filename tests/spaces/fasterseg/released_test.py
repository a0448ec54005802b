"""Conversion of released weights; what the converted networks compute is in the parity tests."""

import numpy as np
import pytest

from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.genotype import BranchGenotype, CellGenotype
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.released import (
    ConversionReport,
    load_released_architecture,
    load_released_network,
    load_released_supernet,
    network_assignments,
    supernet_assignments,
)
from keras_fasterseg.spaces.fasterseg.settings import WIDTH_MULTIPLIERS
from keras_fasterseg.spaces.fasterseg.supernet import Supernet
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from tests.shared import load_fixture
from tests.spaces.fasterseg.one_hot_choices import make_genotype
from tests.spaces.fasterseg.released_state import random_state, supernet_state

HALF = 6 / 12


def small_network():
    cells = (
        CellGenotype(0, 8, "conv_2x", 1, 4 / 12),
        CellGenotype(1, 8, "skip", 2, HALF),
        CellGenotype(3, 16, "skip", 1, HALF),
    )
    genotype = make_genotype([BranchGenotype(16, cells)], HALF)
    return FasterSegNetwork(genotype, num_classes=3, auxiliary_heads=True)


def assert_unchanged(before, layer):
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_names_of_a_derived_network():
    convolutions = {
        "stem.0.conv.0",
        *(f"stem.{stage}.conv{index}" for stage in (1, 2) for index in (1, 2)),
        *(f"cells.0-0._op._op.conv{index}" for index in (1, 2)),
        *(f"cells.1-0._op._op.conv{index}" for index in (1, 2)),
        "arms16.conv.0",
        "refines16.conv.0",
        "ffm.conv_1x1.conv",
        *(f"heads{scale}.conv_{size}" for scale in (8, 16) for size in ("3x3.conv", "1x1")),
    }
    norms = {
        "stem.0.conv.1",
        *(f"stem.{stage}.bn{index}" for stage in (1, 2) for index in (1, 2)),
        *(f"cells.0-0._op._op.bn{index}" for index in (1, 2)),
        "cells.1-0._op._op.bn",
        "arms16.conv.1",
        "refines16.conv.1",
        "ffm.conv_1x1.bn",
        *(f"heads{scale}.conv_3x3.bn" for scale in (8, 16)),
    }
    endings = ("weight", "bias", "running_mean", "running_var")
    expected = {f"{name}.weight" for name in convolutions}
    expected |= {f"{name}.{ending}" for name in norms for ending in endings}
    expected |= {f"heads{scale}.conv_1x1.bias" for scale in (8, 16)}
    assert {assignment.name for assignment in network_assignments(small_network())} == expected


def test_every_weight_is_assigned_once():
    network = small_network()
    assigned = [id(assignment.weight) for assignment in network_assignments(network)]
    assert sorted(assigned) == sorted(id(weight) for weight in network.weights)


def test_kernels_are_transposed_and_vectors_kept():
    network = small_network()
    state = random_state(network_assignments(network))
    report = load_released_network(network, state)
    assert report == ConversionReport(len(state), (), (), ())
    kernel = network.get_layer("fusion").convolution.kernel
    released = state["ffm.conv_1x1.conv.weight"]
    for index in ((0, 0), (1, 2), (23, 7)):
        assert kernel[0, 0, index[1], index[0]] == released[(*index, 0, 0)]
    reduce = network.get_layer("branch_16_cell_01")
    expected = np.moveaxis(state["cells.1-0._op._op.conv2.weight"], (2, 3, 1, 0), (0, 1, 2, 3))
    np.testing.assert_array_equal(reduce.odd_kernel, expected)
    expected = state["cells.1-0._op._op.bn.running_var"]
    np.testing.assert_array_equal(reduce.normalization.moving_variance, expected)


def test_what_is_left_over_is_reported():
    network = small_network()
    state = random_state(network_assignments(network))
    before = np.array(network.get_layer("head").classifier.bias)
    del state["heads8.conv_1x1.bias"]
    state["heads64.conv_1x1.bias"] = np.zeros(3)
    state["ffm.channel_attention.1.conv.weight"] = np.zeros((4, 4, 1, 1))
    state["stem.0.conv.1.num_batches_tracked"] = np.array(7)
    report = load_released_network(network, state)
    assert report == ConversionReport(
        converted=len(state) - 3,
        missing=("heads8.conv_1x1.bias",),
        unused=("heads64.conv_1x1.bias",),
        dead=("ffm.channel_attention.1.conv.weight", "stem.0.conv.1.num_batches_tracked"),
    )
    np.testing.assert_array_equal(network.get_layer("head").classifier.bias, before)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("heads8.conv_1x1.bias", (4,)),
        ("heads8.conv_1x1.bias", (2,)),
        ("heads8.conv_3x3.bn.running_var", (1,)),
        ("ffm.conv_1x1.conv.weight", (24, 23, 1, 1)),
        ("ffm.conv_1x1.conv.weight", (24, 24)),
    ],
)
def test_a_wrong_shape_changes_nothing(name, shape):
    network = small_network()
    before = network.get_weights()
    state = {**random_state(network_assignments(network)), name: np.zeros(shape, "float32")}
    with pytest.raises(
        ValueError, match=rf"{name} has shape \(.*Use the genotype of these weights"
    ):
        load_released_network(network, state)
    assert_unchanged(before, network)


@pytest.fixture(scope="module")
def small_supernet():
    supernet = Supernet(19, num_layers=6, base_filters=6)
    supernet.build()
    return supernet


@pytest.mark.backends("tensorflow", "jax")
def test_tensors_of_a_supernet_go_to_their_layer_and_width(small_supernet, full_size_fixtures):
    supernet_weights = supernet_state(load_fixture("supernet_L6_F6", full_size_fixtures))
    report = load_released_supernet(small_supernet, supernet_weights)
    assert report.missing == report.unused == ()
    # The slimmable norms' own affine pairs: 2 for every norm of the 15 + 9 MixedOps of 7 norms.
    assert len(report.dead) == 2 * (15 + 9) * 7
    assert all(".bn" in name for name in report.dead)
    assert report.converted + len(report.dead) == len(supernet_weights)

    keep = small_supernet.keep[1]
    block = keep.template.primitives[1].blocks[0]
    (kernel,) = keep.stacked([block.convolution.kernel])
    # Layer 3 at 1/16 is row 2.
    released = supernet_weights["cells.3.1._op._ops.1.conv1.weight"]
    np.testing.assert_array_equal(kernel[2], released.transpose(2, 3, 1, 0))
    (means,) = keep.stacked([block.normalization.moving_mean])
    for index, width in enumerate(WIDTH_MULTIPLIERS):
        released = supernet_weights[f"cells.3.1._op._ops.1.bn1.bn.{index}.running_mean"]
        assert released.shape == (round(96 * width),)
        np.testing.assert_array_equal(means[2, index, : released.size], released)


@pytest.mark.backends("tensorflow", "jax")
def test_every_tensor_of_a_supernet_has_a_place_of_its_own(small_supernet):
    places = [(a.weight.path, a.index) for a in supernet_assignments(small_supernet)]
    assert len(set(places)) == len(places)
    assert {path for path, _ in places} == {
        weight.path for weight in small_supernet.weights if "seed" not in weight.path
    }


@pytest.mark.backends("tensorflow", "jax")
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cells.3.1._op._ops.1.conv1.weight", (96, 95, 3, 3)),
        ("cells.3.1._op._ops.1.bn1.bn.4.running_mean", (104,)),
    ],
)
def test_a_wrong_shape_leaves_the_supernet(small_supernet, name, shape):
    before = small_supernet.get_weights()
    state = {**random_state(supernet_assignments(small_supernet)), name: np.zeros(shape, "float32")}
    with pytest.raises(ValueError, match=rf"{name} has shape"):
        load_released_supernet(small_supernet, state)
    assert_unchanged(before, small_supernet)


def released_logits(seed=0):
    generator = np.random.default_rng(seed)
    shapes = {"alpha": [(4, 5), (3, 5), (2, 5)], "ratio": [(3, 5), (3, 5), (2, 5)]}
    state = {
        f"{family}_{index}_{scale}": generator.normal(size=shape)
        for family, family_shapes in shapes.items()
        for index in (0, 1)
        for scale, shape in enumerate(family_shapes)
    }
    state |= {
        f"beta_{index}_{j}": generator.normal(size=(3 - j, 2)) for index in (0, 1) for j in (1, 2)
    }
    return state


@pytest.mark.parametrize(("role", "index", "converted"), [(TEACHER, 0, 5), (STUDENT, 1, 8)])
def test_an_architecture_takes_its_own_logits(role, index, converted):
    state = released_logits()
    architecture = Architecture(role, 4)
    report = load_released_architecture(architecture, state)
    assert report == ConversionReport(converted, (), (), ())
    for scale, alpha in enumerate(architecture.alphas):
        np.testing.assert_allclose(alpha, state[f"alpha_{index}_{scale}"], rtol=1e-6)
    for scale, beta in enumerate(architecture.betas, start=1):
        np.testing.assert_allclose(beta, state[f"beta_{index}_{scale}"], rtol=1e-6)
    for scale, gamma in enumerate(architecture.gammas):
        np.testing.assert_allclose(gamma, state[f"ratio_{index}_{scale}"], rtol=1e-6)


def test_logits_of_another_number_of_layers_change_nothing():
    architecture = Architecture(STUDENT, 5)
    before = architecture.get_weights()
    with pytest.raises(ValueError, match=r"alpha_1_0 has shape \(4, 5\)"):
        load_released_architecture(architecture, released_logits())
    assert_unchanged(before, architecture)
