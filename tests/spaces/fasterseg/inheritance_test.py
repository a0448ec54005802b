"""Networks with inherited weights equal the supernet on their path."""

import keras
import numpy as np
import pytest

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.spaces.fasterseg.inheritance import inherited_network
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.plan import plan_network
from keras_fasterseg.spaces.fasterseg.presets import preset_files
from keras_fasterseg.spaces.fasterseg.settings import WIDTH_MULTIPLIERS
from keras_fasterseg.spaces.registry import load_genotype
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from tests.spaces.fasterseg.one_hot_choices import (
    choices_of_branch,
    full_branch,
    make_genotype,
    random_images,
    randomize_weights,
)

IMAGES = random_images(2, 64, 96)
PRIMITIVES = ("conv", "conv_2x", "conv_downup", "conv_2x_downup", "conv", "conv_2x")
# Of paths with skips: a cell of stride 2 can be one.
WITH_SKIP = ("conv", "skip", "conv_downup", "skip", "conv", "conv_2x")


@pytest.fixture(scope="module")
def supernet(supernets):
    supernet = supernets["inputs"]
    weights = supernet.get_weights()
    randomize_weights(supernet.variables)
    for decoder in supernet.decoders.values():
        for fusion in (decoder.fusion_16, decoder.fusion_32_16, decoder.fusion_32_8):
            # A derived network reads other finer features: they would make a difference.
            kernel = np.array(fusion.refinement.convolution.kernel)
            kernel[:, :, fusion.filters :] = 0
            fusion.refinement.convolution.kernel.assign(kernel)
    yield supernet
    supernet.set_weights(weights)


def branch(primitives, downs, end_width):
    return full_branch(primitives, downs, (*WIDTH_MULTIPLIERS, end_width))


@pytest.mark.parametrize("role", [TEACHER, STUDENT])
@pytest.mark.parametrize(
    ("primitives", "downs", "prediction"),
    [
        (PRIMITIVES, (), "scale_8"),
        (PRIMITIVES, (2,), "scale_16"),
        (PRIMITIVES, (1, 3), "scale_32"),
        (WITH_SKIP, (1, 3), "scale_32"),
    ],
)
def test_a_single_branch_equals_its_path(supernet, role, primitives, downs, prediction):
    width = supernet.stem_head_widths[role]
    own = branch(primitives, downs, width)
    network = inherited_network(supernet, make_genotype([own], width), role)
    choices = choices_of_branch(own, role)
    expected = getattr(supernet(IMAGES, choices=choices, training=False), prediction)
    found = network(IMAGES, training=False)
    size = np.abs(expected).max()
    assert size > 0.1
    # float32, summed in another order because of the channels that are zero.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * size)


@pytest.mark.parametrize("order", [(32, 8), (8, 32)])
def test_two_branches_join_their_features_in_any_order(supernet, order):
    """The head of both, on features that are those of two paths."""
    width = supernet.stem_head_widths[STUDENT]
    downs = {8: (), 32: (1, 3)}
    branches = [branch(PRIMITIVES, downs[scale], width) for scale in order]
    network = inherited_network(supernet, make_genotype(branches, width), STUDENT)
    features = {}
    for scale in (8, 32):
        genotype = make_genotype([branch(PRIMITIVES, downs[scale], width)], width)
        single = inherited_network(supernet, genotype, STUDENT)
        (output,) = plan_network(genotype).outputs
        inner = keras.Model(single.input, single.get_layer(output.layer).output)
        features[scale] = inner(IMAGES, training=False)
    head = supernet.decoders[STUDENT].heads[3]
    joined = np.concatenate([features[8], features[32]], axis=-1)
    # float32: the order of the channels changes the order of the sums.
    np.testing.assert_allclose(
        network(IMAGES, training=False), head(joined, training=False), rtol=0, atol=1e-4
    )


def test_the_supernet_does_not_change(supernet):
    before = supernet.get_weights()
    width = supernet.stem_head_widths[STUDENT]
    genotype = make_genotype([branch(PRIMITIVES, (1, 3), width)], width)
    network = inherited_network(supernet, genotype, STUDENT)
    network(IMAGES, training=True)
    for variable in network.variables:
        variable.assign(0 * variable)
    for value, old in zip(supernet.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_logits_have_an_eighth_of_the_size(supernet):
    width = supernet.stem_head_widths[STUDENT]
    genotype = make_genotype([branch(PRIMITIVES, (1, 3), width)], width)
    logits = inherited_network(supernet, genotype, STUDENT)(IMAGES, training=False)
    assert logits.shape == (2, 8, 12, supernet.num_classes)
    whole = FasterSegNetwork(genotype, supernet.num_classes)(IMAGES, training=False)
    assert resize_bilinear(logits, (64, 96)).shape == whole.shape


def test_genotypes_of_other_supernets_are_refused(supernet):
    published = load_genotype(preset_files()["fasterseg_student"])
    with pytest.raises(ValueError, match=r"The supernet has .*'num_layers': 6.* Received"):
        inherited_network(supernet, published, STUDENT)
    width = supernet.stem_head_widths[STUDENT]
    three = [branch(PRIMITIVES, downs, width) for downs in ((), (2,), (1, 3))]
    with pytest.raises(ValueError, match=r"branches at \[8, 16, 32\]"):
        inherited_network(supernet, make_genotype(three, width), STUDENT)
