import dataclasses

import keras
import numpy as np
import pytest

from keras_fasterseg.genotype import PRIMITIVES, BranchGenotype, CellGenotype, Genotype
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER, WIDTH_MULTIPLIERS
from keras_fasterseg.spaces.fasterseg.inheritance import inherit_weights
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.supernet import STEM_HEAD_WIDTHS, Supernet
from tests.spaces.fasterseg.one_hot_choices import (
    BASE_FILTERS,
    NUM_LAYERS,
    choices_of_branch,
    full_branch,
    make_genotype,
    random_images,
)

CONVOLUTIONS = PRIMITIVES[1:]
# By the scale at which a branch ends: the layers whose cells go down, early, late and spread.
DESCENTS = {8: [()], 16: [(0,), (2,), (4,)], 32: [(0, 1), (1, 3), (3, 4)]}


def random_branch(downs, role, seed):
    """Any primitive at stride 2, any but the skip at stride 1 (which a supernet convolves)."""
    generator = np.random.default_rng(seed)
    primitives = [
        str(generator.choice(PRIMITIVES if layer in downs else CONVOLUTIONS))
        for layer in range(NUM_LAYERS)
    ]
    widths = [*generator.choice(WIDTH_MULTIPLIERS, NUM_LAYERS - 1), STEM_HEAD_WIDTHS[role]]
    return full_branch(primitives, downs, [float(width) for width in widths])


def trunk_of(network: FasterSegNetwork) -> keras.Model:
    """The network up to the last cell of its only branch."""
    return keras.Model(network.input, network.get_layer(network.plan.cells[-1].name).output)


def assert_same_trunk(supernet, branch, role, images, training=False):
    network = FasterSegNetwork(make_genotype([branch], STEM_HEAD_WIDTHS[role]), num_classes=3)
    inherit_weights(network, supernet, role)
    expected = trunk_of(network)(images, training=training)
    outputs = supernet.trunk(images, choices_of_branch(branch, role), training=training)
    actual = outputs[(8, 16, 32).index(branch.scale)]
    assert actual.shape == expected.shape
    # Masked and narrow convolutions sum in another order: 1e-6 of the size per layer, over up to
    # 17 convolutions.
    size = np.abs(expected).max()
    assert size > 0.1
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-5 * max(size, 1.0))


@pytest.mark.parametrize("blend", ["inputs", "outputs"])
@pytest.mark.parametrize("role", [TEACHER, STUDENT])
@pytest.mark.parametrize("scale", [8, 16, 32])
def test_one_hot_trunk_of_the_supernet_is_the_derived_trunk(supernets, scale, role, blend):
    images = random_images(1, 64, 128)
    for seed, downs in enumerate(DESCENTS[scale]):
        branch = random_branch(downs, role, seed)
        assert_same_trunk(supernets[blend], branch, role, images)


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_each_primitive_at_both_strides_and_every_width(supernets, primitive):
    # A skip of stride 1 is another operation in the derived network.
    keeping = "conv" if primitive == "skip" else primitive
    primitives = [keeping, primitive, keeping, primitive, keeping, keeping]
    widths = [*WIDTH_MULTIPLIERS, STEM_HEAD_WIDTHS[STUDENT]]
    branch = full_branch(primitives, (1, 3), widths)
    assert_same_trunk(supernets["inputs"], branch, STUDENT, random_images(2, 64, 64))


def test_trunks_agree_on_batch_statistics_too(supernets):
    statistics = supernets["inputs"].get_weights()
    branch = random_branch((1, 3), STUDENT, seed=5)
    try:
        assert_same_trunk(
            supernets["inputs"], branch, STUDENT, random_images(2, 128, 128), training=True
        )
    finally:
        supernets["inputs"].set_weights(statistics)


def pruned_genotype() -> Genotype:
    """Two branches, removed cells, one stride-1 skip that stays, and a shared first cell.

    The shared cell comes from layer 1 in the first branch and from layer 0 in the second.
    """
    width = STEM_HEAD_WIDTHS[STUDENT]
    deep = (
        CellGenotype(1, 8, "conv", 1, 0.5),
        CellGenotype(2, 8, "skip", 2, 1.0),
        CellGenotype(3, 16, "conv_2x", 2, 4 / 12),
        CellGenotype(4, 32, "skip", 1, 4 / 12),
        CellGenotype(5, 32, "conv_downup", 1, width),
    )
    shallow = (CellGenotype(0, 8, "conv", 1, 0.5), CellGenotype(4, 8, "conv_2x_downup", 1, width))
    return make_genotype([BranchGenotype(32, deep), BranchGenotype(8, shallow)], width)


def test_kernels_are_cut_to_the_widths_and_found_by_layer_and_scale(supernets):
    supernet = supernets["inputs"]
    network = FasterSegNetwork(pruned_genotype(), num_classes=3)
    count = inherit_weights(network, supernet, STUDENT)
    # Of 5 weights a convolution with its norm: stem 5, conv 1, conv_2x 2, conv_downup 1 and
    # conv_2x_downup 2; the skip of stride 2 has 6, that of stride 1 none.
    assert count == 5 * (5 + 1 + 2 + 1 + 2) + 6

    stacked = {
        f"{stack.name}/{name}": np.asarray(weight)
        for stack in (*supernet.keep, *supernet.down)
        for name, weight in zip(stack.names, stack.stacked(stack.template.variables), strict=True)
    }

    shared = network.get_layer("branch_32_8_cell_00").blocks[0]
    # Stem 8 * 6 * 8/12 = 32 channels, output 48 * 6/12 = 24, layer 1.
    kernel = stacked["keep_8/conv/block_0/convolution/kernel"]
    np.testing.assert_array_equal(shared.convolution.kernel, kernel[1, :, :, :32, :24])
    mean = stacked["keep_8/conv/block_0/normalization/moving_mean"]
    np.testing.assert_array_equal(shared.normalization.moving_mean, mean[1, 1, :24])

    reduce = network.get_layer("branch_32_cell_01")
    # 24 channels in, 2 * 48 out; layer 2 is row 2 of the downs at 1/8.
    even = stacked["down_8/skip/even_kernel"]
    np.testing.assert_array_equal(reduce.even_kernel, even[2, :, :, :24, :48])
    variance = stacked["down_8/skip/normalization/moving_variance"]
    np.testing.assert_array_equal(reduce.normalization.moving_variance, variance[2, 4])

    last = network.get_layer("branch_32_cell_04").blocks[0]
    # 192 * 4/12 = 64 in through the identity, 192 * 8/12 = 128 out; layer 5 at 1/32 is row 3.
    kernel = stacked["keep_32/conv_downup/block_0/convolution/kernel"]
    np.testing.assert_array_equal(last.convolution.kernel, kernel[3, :, :, :64, :128])

    skipping = network.get_layer("branch_8_cell_01").blocks[1]
    # The shallow branch: layers 1 to 3 are gone; its second convolution is 32 to 32.
    kernel = stacked["keep_8/conv_2x_downup/block_1/convolution/kernel"]
    np.testing.assert_array_equal(skipping.convolution.kernel, kernel[4, :, :, :32, :32])


def test_decoder_heads_and_the_supernet_stay_as_they_are(supernets):
    supernet = supernets["inputs"]
    network = FasterSegNetwork(pruned_genotype(), num_classes=3, auxiliary_heads=True)
    names = [
        layer.name for layer in network.layers if "fusion" in layer.name or "head" in layer.name
    ]
    assert len(names) == 2 + 1 + 1 + 2
    before = {name: network.get_layer(name).get_weights() for name in names}
    source = supernet.get_weights()
    inherit_weights(network, supernet, STUDENT)
    for name in names:
        for old, new in zip(before[name], network.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(new, old)
    for old, new in zip(source, supernet.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize(
    ("role", "change", "message"),
    [
        ("pupil", {}, r"`role` must be one of .*Received: role='pupil'"),
        (TEACHER, {}, r"'stem_width': 0\.66.*the teacher of this supernet has.*'stem_width': 1"),
        (STUDENT, {"base_filters": 12}, r"'base_filters': 12.*'base_filters': 6"),
        (STUDENT, {"num_layers": 7}, r"'num_layers': 7.*'num_layers': 6"),
        (STUDENT, {"stem_width": 0.5}, r"'stem_width': 0\.5"),
    ],
)
def test_a_network_of_another_supernet_is_refused(supernets, role, change, message):
    genotype = dataclasses.replace(pruned_genotype(), **change)
    network = FasterSegNetwork(genotype, num_classes=3)
    before = network.get_weights()
    with pytest.raises(ValueError, match=message):
        inherit_weights(network, supernets["inputs"], role)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_width_that_the_supernet_lacks_is_refused(supernets):
    width = STEM_HEAD_WIDTHS[STUDENT]
    cells = (CellGenotype(0, 8, "conv", 1, 0.25), CellGenotype(5, 8, "conv", 1, width))
    network = FasterSegNetwork(make_genotype([BranchGenotype(8, cells)], width), num_classes=3)
    with pytest.raises(ValueError, match=r"widths \[0\.25\].*width multipliers"):
        inherit_weights(network, supernets["inputs"], STUDENT)


def test_an_unbuilt_supernet_is_refused():
    network = FasterSegNetwork(pruned_genotype(), num_classes=3)
    with pytest.raises(ValueError, match="has no weights yet"):
        inherit_weights(network, Supernet(3, NUM_LAYERS, BASE_FILTERS), STUDENT)
