import numpy as np
import pytest

from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION, FUSION_OPERATIONS


def test_numbers_of_cells_and_networks():
    assert CELL.edges == ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2))
    assert len(FUSION.edges) == 12
    cells = len(CELL_OPERATIONS) ** len(CELL.edges)
    assert cells == 8**5 == 32_768
    assert float(cells**14) == pytest.approx(1.6455e63, rel=1e-4)
    assert len(FUSION_OPERATIONS) ** len(FUSION.edges) == 282_429_536_481


def test_nodes_of_skips_only_are_multiples_of_the_sum_of_the_inputs():
    inputs = np.random.default_rng(0).normal(size=(3, 5))
    nodes = FUSION.run(["skip"] * 12, list(inputs), lambda edge, state: state)
    for node, multiple in zip(nodes, (1, 2, 4), strict=True):
        np.testing.assert_allclose(node, multiple * inputs.sum(axis=0))


def test_zero_removes_an_edge():
    operations = ["conv", "zero", "zero", "skip", "conv"]
    ran = []

    def apply(edge, state):
        ran.append(edge)
        return state

    nodes = CELL.run(operations, [1.0, 10.0], apply)
    assert ran == [0, 3, 4]
    assert nodes == [1.0, 11.0]
    assert CELL.used_inputs(operations) == [0, 1]
    assert CELL.used_inputs(["conv", "zero", "conv", "zero", "zero"]) == [0]


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        (["zero"] * 5, ("zero", "skip", "zero", "skip", "zero")),
        (["zero", "zero", "conv", "zero", "conv"], ("zero", "skip", "conv", "zero", "conv")),
        (["conv", "zero", "zero", "zero", "zero"], ("conv", "zero", "zero", "skip", "zero")),
        (["conv", "zero", "zero", "zero", "skip"], ("conv", "zero", "zero", "zero", "skip")),
    ],
)
def test_a_node_without_edges_gets_the_last_input(operations, expected):
    assert CELL.completed(operations) == expected
    assert CELL.completed(expected) == expected
