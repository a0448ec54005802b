"""Networks of plain steps have the logits of the Keras network, with every change."""

import keras
import numpy as np
import pytest

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.spaces.registry import space_of
from tests.conformance.spaces import tiny_space
from tools.benchmarks.gpu.plain_network import plain_steps
from tools.benchmarks.gpu.weights import random_images, set_random_weights

CHANGES = (
    {},
    {"folded": True},
    {"products": True},
    {"folded": True, "multiple": 16},
)


def network_of(name, seed):
    genotype = tiny_space(name).random_genotype(np.random.default_rng(seed))
    network = space_of(genotype).build(genotype, 3)
    set_random_weights(network)
    return network


def keras_logits(network, images):
    mean, std = (255 * np.asarray(each, "float32") for each in (IMAGENET_MEAN, IMAGENET_STD))
    return network.predict_on_batch((images.astype("float32") - mean) / std)


def plain_logits(network, images, **changes):
    if keras.backend.backend() == "jax":
        import jax

        from tools.benchmarks.gpu.plain_jax import PlainJax

        plain = PlainJax(network, **changes)
        return np.asarray(jax.jit(plain.__call__)(plain.weights, images))
    import torch

    from tools.benchmarks.gpu.plain_torch import PlainTorch

    with torch.no_grad():
        logits = PlainTorch(network, **changes).logits(torch.from_numpy(images))
    return logits.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("seed", range(2))
def test_fasterseg_networks_keep_their_logits(seed):
    network, images = network_of("fasterseg", seed), random_images(2, 64, 96)
    expected = keras_logits(network, images)
    for changes in CHANGES:
        received = plain_logits(network, images, **changes)
        # Sums in another order; seen: 1.3e-6 of the largest logit.
        np.testing.assert_allclose(received, expected, rtol=0, atol=5e-6 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(2))
def test_joint_networks_keep_their_logits(seed):
    network, images = network_of("joint", seed), random_images(1, 64, 96)
    expected = keras_logits(network, images)
    for changes in CHANGES[:3]:
        received = plain_logits(network, images, **changes)
        np.testing.assert_allclose(received, expected, rtol=0, atol=5e-6 * np.abs(expected).max())


def test_channels_of_residual_blocks_cannot_be_padded():
    with pytest.raises(ValueError, match="residual"):
        plain_steps(network_of("joint", 0), folded=True, multiple=16)


def test_folding_leaves_no_normalization_behind_convolutions():
    network = network_of("fasterseg", 0)
    kinds = [step.kind for step in plain_steps(network, folded=False)]
    folded = [step.kind for step in plain_steps(network, folded=True)]
    assert "normalization" in kinds
    assert folded == [kind for kind in kinds if kind != "normalization"]


def test_images_do_not_depend_on_the_size_of_the_batch():
    np.testing.assert_array_equal(random_images(3, 40, 70)[:1], random_images(1, 40, 70))
