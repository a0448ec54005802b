"""The trellis against paths of one-hot gates."""

import itertools

import numpy as np
from keras import ops

from keras_fasterseg.spaces.autortnet.trellis import (
    COARSEST_STATES,
    LAST,
    REDUCE,
    SKIP,
    STATES,
    trellis,
)


def random_gates(cells, seed=0):
    """Softmax gates; those of the coarsest level are the others without `reduce`."""
    gates = np.random.default_rng(seed).dirichlet(np.ones(3), cells).astype("float32")
    coarsest = gates[:, [STATES.index(state) for state in COARSEST_STATES]]
    return gates, coarsest / coarsest.sum(-1, keepdims=True)


def masses_of(gates, coarsest):
    return [[float(each) for each in row] for row in trellis(gates, coarsest).masses]


def test_masses_sum_to_one_and_never_move_to_a_finer_level():
    masses = masses_of(*random_gates(12))
    finest = [row[0] for row in masses]
    for row in masses:
        np.testing.assert_allclose(sum(row), 1.0, rtol=1e-5)
    for level in range(LAST + 1):
        upto = [sum(row[: level + 1]) for row in masses]
        assert all(later <= earlier + 1e-6 for earlier, later in itertools.pairwise(upto))
    assert finest[-1] < finest[1]


def test_masses_are_those_of_all_paths():
    gates, coarsest = random_gates(5)
    expected = np.zeros(LAST + 1)
    for states in itertools.product(range(3), repeat=5):
        level, share = 0, 1.0
        for index, state in enumerate(states):
            if level == LAST:
                if STATES[state] == REDUCE:
                    share = 0.0
                    break
                share *= coarsest[index, COARSEST_STATES.index(STATES[state])]
            else:
                share *= gates[index, state]
                level += STATES[state] == REDUCE
        expected[level] += share
    np.testing.assert_allclose(masses_of(gates, coarsest)[-1], expected, rtol=1e-5)


def test_expected_reductions_and_depth_without_masks():
    """With at most three hyper-cells, no level is masked."""
    gates, coarsest = random_gates(3)
    final = masses_of(gates, coarsest)[-1]
    reductions = sum(level * mass for level, mass in enumerate(final))
    np.testing.assert_allclose(reductions, gates[:, STATES.index(REDUCE)].sum(), rtol=1e-5)
    found = trellis(gates, coarsest)
    runs = sum(
        float(mass * (1.0 - gate.skip))
        for before, of_levels in zip(found.masses, found.gates, strict=False)
        for mass, gate in zip(before, of_levels, strict=True)
    )
    np.testing.assert_allclose(runs, (1.0 - gates[:, STATES.index(SKIP)]).sum(), rtol=1e-5)


def test_masses_of_gates_of_one_count_paths():
    """Sequences of states with at most three reductions; and networks, without what they skip."""
    sequences = sum(masses_of(np.ones((12, 3), "float32"), np.ones((12, 2), "float32"))[-1])
    assert sequences == 208_896
    networks = 1  # without any cell
    for cells in range(1, 13):
        gates, coarsest = np.ones((cells, 3), "float32"), np.ones((cells, 2), "float32")
        gates[:, STATES.index(SKIP)] = coarsest[:, COARSEST_STATES.index(SKIP)] = 0
        networks += sum(masses_of(gates, coarsest)[-1])
    assert networks == 1_092


def test_one_hot_gates_follow_a_path():
    gates = ops.one_hot([0, 1, 2, 1, 1, 0], 3)
    coarsest = ops.one_hot([0, 0, 1, 0, 0, 0], 2)
    levels = [np.argmax(row) for row in masses_of(gates, coarsest)]
    assert levels == [0, 0, 1, 1, 2, 3, 3]
