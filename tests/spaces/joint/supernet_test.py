"""The supernet with one-hot choices against the network that is derived from them."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.spaces.joint.architecture import EARLY_DEPTH, LATE_DEPTH, fixed_choices
from keras_fasterseg.spaces.joint.choices import operations
from keras_fasterseg.spaces.joint.network import JointNetwork
from keras_fasterseg.spaces.joint.search_model import JointSearch, derive
from keras_fasterseg.spaces.joint.settings import JointSettings

SETTINGS = JointSettings(
    early_blocks=2,
    late_blocks=3,
    stem_filters=4,
    early_filters=12,
    late_filters=24,
    filter_choices=3,
    dilations=(1, 2),
)
CLASSES = 3


@pytest.fixture(scope="module")
def model():
    model = JointSearch(SETTINGS, CLASSES, seed=0)
    generator = np.random.default_rng(0)
    for weight in model.supernet.weights:
        if weight.path.endswith(("gamma", "variance")):
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
        elif weight.path.endswith(("beta", "mean")):
            weight.assign(generator.normal(0, 0.3, weight.shape))
    return model


def random_choices(seed):
    """One-hot choices; the last early block keeps its full width.

    The third downsampler joins a convolution with as many filters as its input lacks: the supernet
    and a network agree behind it only then.
    """
    generator = np.random.default_rng(seed)
    blocks = SETTINGS.early_blocks + SETTINGS.late_blocks
    groups = (blocks, len(operations(SETTINGS)))
    picked = {
        EARLY_DEPTH: np.array(generator.integers(SETTINGS.early_blocks)),
        LATE_DEPTH: np.array(generator.integers(SETTINGS.late_blocks)),
        "operation": generator.integers(len(operations(SETTINGS)), size=blocks),
        "middle": generator.integers(SETTINGS.filter_choices, size=groups),
        "last": generator.integers(SETTINGS.filter_choices, size=groups),
    }
    picked["last"][int(picked[EARLY_DEPTH])] = 0
    return picked, fixed_choices(SETTINGS, picked)


def copy_weights(supernet, network, picked):
    """Copies the weights of the chosen operations and filters into the network."""
    for layer in supernet.downsamplers:
        for mine, theirs in zip(network.get_layer(layer.name).weights, layer.weights, strict=True):
            mine.assign(theirs)
    first = 0
    for name, stack, count in zip(
        ("early", "late"), supernet.blocks, (SETTINGS.early_blocks, SETTINGS.late_blocks),
        strict=True,
    ):  # fmt: skip
        inputs = stack.filters
        for index, block in enumerate(getattr(network.genotype, name)):
            place = (index, int(picked["operation"][first + index]))
            _copy_block(stack, network.get_layer(f"{name}_{index}"), place, inputs, block)
            inputs = block.filters
        first += count


def _copy_block(stack, layer, place, inputs, block):
    first, second = (np.array(kernel)[place] for kernel in stack.kernels)
    layer.vertical.kernel.assign(first[:, None, :inputs, : block.middle])
    layer.horizontal.kernel.assign(second[None, :, : block.middle, : block.filters])
    normalizations = (layer.vertical_normalization, layer.horizontal_normalization)
    for index, (normalization, filters) in enumerate(
        zip(normalizations, (block.middle, block.filters), strict=True)
    ):
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            values = np.array(getattr(stack, name))[place][index, :filters]
            getattr(normalization, name).assign(values)


@pytest.mark.parametrize("seed", range(4))
def test_one_hot_choices_are_the_derived_network(model, seed):
    picked, choices = random_choices(seed)
    genotype = derive(choices, SETTINGS)
    network = JointNetwork(genotype, CLASSES)
    copy_weights(model.supernet, network, picked)
    images = tf.random.stateless_normal((2, 64, 96, 3), (seed, 0))
    ends = [f"early_{len(genotype.early) - 1}", f"late_{len(genotype.late) - 1}"]
    features = tf.keras.Model(network.input, [network.get_layer(name).output for name in ends])
    for found, expected in zip(
        model.supernet.encoder(images, choices), features(images), strict=True
    ):
        filters = expected.shape[-1]
        size = float(np.abs(expected).max())
        assert size > 0.1
        # Sums over at most 72 products, through up to five blocks.
        np.testing.assert_allclose(found[..., :filters], expected, atol=1e-5 * size)
        np.testing.assert_array_equal(found[..., filters:], 0)


def test_logits_are_at_an_eighth(model):
    _, choices = random_choices(0)
    logits = model.supernet(tf.zeros((1, 64, 96, 3)), choices)
    assert logits.shape == (1, 8, 12, CLASSES)
