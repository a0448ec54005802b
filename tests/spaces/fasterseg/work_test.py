"""Counts in closed form against built models, traced graphs and the deployed network's counter."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Work, total_work
from keras_fasterseg.layers.mixed_op import MixedOp
from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.cost import network_work
from keras_fasterseg.spaces.fasterseg.largest import largest_genotype
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.random_genotype import random_genotype
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.supernet import Supernet
from keras_fasterseg.spaces.fasterseg.work import cells_work, supernet_work
from keras_fasterseg.spaces.registry import load_preset

WIDTHS = (4 / 12, 8 / 12, 1.0)


def count(variables) -> int:
    return sum(int(np.prod(each.shape)) for each in variables)


def random_network(seed: int):
    return random_genotype(
        np.random.default_rng(seed),
        base_filters=4,
        width_multipliers=WIDTHS,
        stem_head_width=8 / 12,
        num_layers=6,
    )


NETWORKS = {
    "random": random_network(1),
    "another": random_network(2),
    "largest": largest_genotype(5, 4, 1.0),
    "published": load_preset("fasterseg_student"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_weights_of_a_network_are_those_of_the_built_one(name):
    for heads in (True, False):
        network = FasterSegNetwork(NETWORKS[name], 7, auxiliary_heads=heads)
        work = network_work(NETWORKS[name], (64, 96), 7, training=heads)
        assert work.trainable == count(network.trainable_variables)
        assert work.statistics == count(network.non_trainable_variables)


@pytest.mark.parametrize(
    ("layers", "filters", "widths", "student"),
    [(4, 2, (0.5, 1.0), 0.5), (6, 4, WIDTHS, 8 / 12)],
)
def test_the_weights_of_a_supernet_are_those_of_the_built_one(layers, filters, widths, student):
    roles = {"teacher": 1.0, "student": student}
    supernet = Supernet(7, layers, filters, widths, stem_head_widths=roles)
    supernet.build()
    settings = FasterSegSettings(layers, filters, widths, student)
    work = supernet_work(settings, (64, 128), 7)
    assert work.trainable == count(supernet.trainable_variables)
    assert work.statistics == count(supernet.non_trainable_variables)


def test_images_are_padded_to_multiples_of_32():
    genotype = NETWORKS["random"]
    assert network_work(genotype, (60, 90), 7) == network_work(genotype, (64, 96), 7)
    training = network_work(genotype, (64, 96), 7, training=True)
    assert training.macs > network_work(genotype, (64, 96), 7).macs


@pytest.mark.parametrize("stride", [1, 2])
def test_the_work_of_a_cell_is_that_of_its_traced_graph(stride):
    cell = MixedOp(32 * stride, stride, (0.5, 1.0))
    images = tf.TensorSpec((1, 8, 16, 32))
    function = tf.function(lambda x: cell(x, tf.ones(5), training=True))
    operations = [
        each
        for each in function.get_concrete_function(images).graph.get_operations()
        if each.type == "Conv2D"
    ]
    keys = [OpKey(name, 8, 16, 32, 32 * stride, stride) for name in PRIMITIVES]
    work = total_work(keys)
    outputs = [each.outputs[0].shape.num_elements() for each in operations]
    assert work.elements == sum(outputs)
    assert work.macs == sum(
        int(np.prod(each.inputs[1].shape[:3])) * values
        for each, values in zip(operations, outputs, strict=True)
    )
    assert work.operations == len(PRIMITIVES)


def test_every_cell_counts_once():
    # Four layers have 4 + 3 + 2 cells that keep their scale and 3 + 2 that go down.
    size, filters = (64, 64), {8: 16, 16: 32, 32: 64}
    keys = [
        OpKey(name, 64 // scale, 64 // scale, filters[scale], filters[scale * stride], stride)
        for scale, stride, cells in ((8, 1, 4), (16, 1, 3), (32, 1, 2), (8, 2, 3), (16, 2, 2))
        for name in PRIMITIVES * cells
    ]
    found, one = cells_work(FasterSegSettings(4, 2, (0.5, 1.0), 0.5), size), total_work(keys)
    # A second scale, offset, mean and variance for the second width.
    assert found == Work(
        one.macs,
        one.elements,
        one.operations,
        one.trainable + one.statistics,
        2 * one.statistics,
    )
