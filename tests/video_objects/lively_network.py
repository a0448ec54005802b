"""A small untrained network that finds several objects in any frame."""

import keras
import numpy as np

from keras_fasterseg.video_objects.network import ObjectNetwork
from tests.small_genotype import GENOTYPE

SIZE = (64, 96)


def lively_network() -> ObjectNetwork:
    """Random weights; any cell may be a centre, and sizes are about a third of the image."""
    keras.utils.set_random_seed(0)
    network = ObjectNetwork(GENOTYPE, SIZE, max_objects=6)
    dense = network.get_layer("dense")
    dense.get_layer("centers").bias.assign([1.0])
    sizes = dense.get_layer("sizes")
    sizes.kernel.assign(0.02 * sizes.kernel)
    sizes.bias.assign(np.log([22.0, 30.0]))
    network.get_layer("mask_head").classifier.bias.assign([1.0])
    return network
