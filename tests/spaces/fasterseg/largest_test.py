"""The largest network of a space, against all networks that a search could derive."""

import itertools

import numpy as np
import pytest

from keras_fasterseg.latency.operations import work
from keras_fasterseg.spaces.fasterseg.derive import derive
from keras_fasterseg.spaces.fasterseg.largest import largest_genotype
from keras_fasterseg.spaces.fasterseg.plan import plan_network
from keras_fasterseg.spaces.fasterseg.stages import network_stages

SIZE = (64, 128)
FILTERS = 4


def operations(genotype):
    stages = network_stages(genotype, SIZE, 19)
    return sum(work(key).macs for stage in stages for key in stage.keys)


def activations(genotype):
    """Values that the cells of the network put out for one image."""
    outputs = [cell.output for cell in plan_network(genotype).cells]
    return sum(each.filters * SIZE[0] * SIZE[1] // each.scale**2 for each in outputs)


def paths(num_layers, stem_head_width=1.0, primitive=3):
    """The networks of every preferred pair of descents, all cells of one primitive."""
    alphas = [np.eye(5)[[primitive] * (num_layers - index)] for index in range(3)]
    gammas = [np.zeros((num_layers - 1 - index // 2, 1)) for index in range(3)]
    rows = range(num_layers - 2)
    # A second preference decides where the branch to 1/32 may not take the first.
    for first, second in itertools.permutations(rows, 2):
        for third in range(num_layers - 3):
            betas = [np.zeros((num_layers - 2, 2)), np.zeros((num_layers - 3, 2))]
            betas[0][first, 0], betas[0][second, 0], betas[1][third, 0] = 2, 1, 9
            yield derive(
                alphas,
                betas,
                gammas,
                base_filters=FILTERS,
                width_multipliers=(1.0,),
                stem_width=stem_head_width,
                head_width=stem_head_width,
                allow_skip=False,
            )


@pytest.mark.parametrize("num_layers", [4, 5, 6, 7, 8, 9, 10])
def test_no_path_has_more_operations_or_activations(num_layers):
    largest = largest_genotype(num_layers, FILTERS, 1.0)
    networks = {network.id: network for network in paths(num_layers)}.values()
    assert len(networks) >= 2
    assert operations(largest) == max(operations(each) for each in networks)
    assert activations(largest) == max(activations(each) for each in networks)


@pytest.mark.parametrize("primitive", [1, 2, 4])
def test_no_other_primitive_is_dearer(primitive):
    largest = largest_genotype(8, FILTERS, 1.0)
    assert all(operations(each) < operations(largest) for each in paths(8, primitive=primitive))


def test_the_paths_of_the_full_space():
    # By the rules for 16 layers: the latest descent to 1/16 leaves layer 13; the branch to 1/32
    # goes down at layers 2, the earliest, and 13, the latest.
    to_32, to_16 = largest_genotype(16, 12, 8 / 12).branches
    assert [cell.layer for cell in to_16.cells if cell.stride == 2] == [13]
    assert [cell.layer for cell in to_32.cells if cell.stride == 2] == [2, 13]
    assert {cell.primitive for cell in (*to_16.cells, *to_32.cells)} == {"conv_2x"}
    assert {cell.width for cell in to_32.cells[:-1]} == {1.0}
    assert len(to_32.cells) == len(to_16.cells) == 16


def test_too_few_layers_are_refused():
    with pytest.raises(ValueError, match="At least 4 layers are needed"):
        largest_genotype(3, 12, 1.0)
