"""Feature levels of networks of all spaces, and the encoder that computes them."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.resize import Resize
from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.spaces.registry import load_preset, preset_names, space_of
from keras_fasterseg.video_objects.encoder import encoder_network, feature_levels, make_encoder
from tests.video_objects.genotypes import SMALL, genotype_with_reductions, random_genotype

SIZE = (64, 96)
NAMES = ("fasterseg_student", "joint_published", "gas", "autortnet")


@functools.cache
def network_of(name: str) -> SegmentationNetwork:
    """The network of a preset, or of a random genotype of a tiny space."""
    if name in preset_names():
        genotype = load_preset(name)
    elif name == "autortnet":
        genotype = genotype_with_reductions(3)
    else:
        genotype = random_genotype(name)
    keras.utils.set_random_seed(0)
    return encoder_network(genotype, SIZE, IMAGENET_MEAN, IMAGENET_STD)


def random_images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, *SIZE, 3)).astype("float32")


@pytest.mark.parametrize("name", NAMES)
def test_levels_have_the_sizes_of_their_strides(name):
    network = network_of(name)
    levels = feature_levels(network)
    expected = (4, 8) if name == "joint_published" else (4, 8, 16)
    assert tuple(levels) == expected
    outputs = make_encoder(network).output
    assert set(outputs) == {f"stride_{stride}" for stride in expected}
    for stride in expected:
        shape = (None, SIZE[0] // stride, SIZE[1] // stride)
        assert levels[stride].shape[:3] == outputs[f"stride_{stride}"].shape[:3] == shape


@pytest.mark.parametrize("name", NAMES)
def test_levels_come_from_before_the_classifiers(name):
    network = network_of(name)
    assert any(isinstance(layer, Head) for layer in network.layers)
    layers = make_encoder(network).layers
    assert not any(isinstance(layer, Head) for layer in layers)
    assert not any(isinstance(layer, Resize) and "upsample" in layer.name for layer in layers)


def test_auxiliary_heads_are_refused():
    network = space_of(SMALL).network(SMALL, 3, auxiliary_heads=True, input_size=SIZE)
    with pytest.raises(ValueError, match="has no auxiliary heads"):
        make_encoder(network)


@pytest.mark.parametrize("name", ["fasterseg_student", "joint_published"])
def test_level_at_one_eighth_is_the_fusion(name):
    network, images = network_of(name), random_images()
    fusion = keras.Model(network.input, network.get_layer("fusion").output)
    result = make_encoder(network)(images)["stride_8"]
    expected = ops.convert_to_numpy(fusion(images))
    assert expected.any()
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, rtol=1e-5, atol=1e-6)


def test_joint_level_at_one_quarter_joins_early_blocks_and_stem():
    network = encoder_network(SMALL, SIZE, IMAGENET_MEAN, IMAGENET_STD)
    images = random_images()
    outputs = [network.get_layer(name).output for name in ("early_0", "average_pool")]
    parts = keras.Model(network.input, outputs)(images)
    result = make_encoder(network)(images)["stride_4"]
    expected = np.concatenate([ops.convert_to_numpy(each) for each in parts], axis=-1)
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, rtol=1e-5, atol=1e-6)


def test_a_network_without_reductions_has_the_level_of_its_cells():
    network = encoder_network(genotype_with_reductions(0), SIZE, IMAGENET_MEAN, IMAGENET_STD)
    assert tuple(feature_levels(network)) == (2, 8)


@pytest.mark.parametrize("name", NAMES)
def test_encoder_shares_the_weights_of_the_network(name):
    network = network_of(name)
    owned = {id(weight) for weight in network.weights}
    weights = make_encoder(network).weights
    assert weights
    assert all(id(weight) in owned for weight in weights)


def test_a_changed_weight_changes_the_features():
    network = encoder_network(SMALL, SIZE, IMAGENET_MEAN, IMAGENET_STD)
    encoder, images = make_encoder(network), random_images()
    fusion = network.get_layer("fusion")
    for weight in fusion.weights:
        weight.assign(np.zeros(weight.shape))
    assert not ops.convert_to_numpy(encoder(images)["stride_8"]).any()


def test_an_open_input_size_is_refused():
    network = space_of(SMALL).network(SMALL, 3)
    with pytest.raises(ValueError, match="need its `input_size`"):
        feature_levels(network)


def test_statistics_of_the_colors_are_kept():
    network = encoder_network(SMALL, SIZE, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert network.mean == (0.1, 0.2, 0.3)
    assert network.std == (0.4, 0.5, 0.6)
    assert network.input_size == SIZE
