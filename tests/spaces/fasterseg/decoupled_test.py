import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts
from keras_fasterseg.spaces.fasterseg.decoupled import (
    CODE,
    PAPER,
    LatencyWeights,
    auto_weights,
    decoupled_latency,
)
from tests.spaces.fasterseg.path_enumeration import enumerated_latency
from tests.spaces.fasterseg.released_costs import released_table, supernet_costs

LAYERS = 5


def _costs(**changes):
    generator = np.random.default_rng(0)
    values = {
        "stem_ms": 2.0,
        "keep": [generator.uniform(0.1, 1.0, (5, 4, 4)) for _ in range(3)],
        "down": [generator.uniform(0.1, 1.0, (5, 4, 4)) for _ in range(2)],
        "first_keep": generator.uniform(0.1, 1.0, (5, 4)),
        "first_down": generator.uniform(0.1, 1.0, (5, 4)),
        "last_keep": [generator.uniform(0.1, 1.0, (5, 4)) for _ in range(3)],
    }
    return LatencyCosts(**{**values, **changes})


def _even(num_layers=LAYERS, widths=4):
    alphas = [np.full((num_layers - j, 5), 0.2) for j in range(3)]
    betas = [np.full((num_layers - 1 - j, 2), 0.5) for j in (1, 2)]
    indices = [np.full(num_layers - max(j, 1), widths - 1) for j in range(3)]
    return alphas, betas, indices


def _enumerate(alphas, betas, indices, costs):
    return enumerated_latency(
        alphas, betas, indices, [np.ones(len(index)) for index in indices], costs
    )


def _choices():
    generator = np.random.default_rng(2)
    alphas = [generator.dirichlet(np.ones(5), LAYERS - j) for j in range(3)]
    betas = [generator.dirichlet(np.ones(2), LAYERS - 1 - j) for j in (1, 2)]
    indices = [generator.integers(4, size=LAYERS - max(j, 1)) for j in range(3)]
    return alphas, betas, indices


def test_the_published_weights():
    assert (PAPER.operator, PAPER.path, PAPER.width) == (0.001, 0.997, 0.002)
    assert (CODE.operator, CODE.path, CODE.width) == (0.002, 0.994, 0.004)
    assert LatencyWeights() == PAPER


@pytest.mark.parametrize("weights", [PAPER, CODE, LatencyWeights(0.2, 0.3, 0.5)])
def test_each_family_is_free_in_its_own_term_only(weights):
    costs = _costs()
    alphas, betas, indices = _choices()
    even_alphas, even_betas, widest = _even()
    expected = (
        weights.operator * _enumerate(alphas, even_betas, widest, costs)
        + weights.path * _enumerate(even_alphas, betas, widest, costs)
        + weights.width * _enumerate(even_alphas, even_betas, indices, costs)
    )
    gammas = [np.eye(4)[index] for index in indices]
    latency = decoupled_latency(alphas, betas, gammas, costs, weights)
    assert float(latency) == pytest.approx(expected, abs=1e-9)


def test_gradients_scale_with_their_own_weight_only():
    costs = _costs()
    alphas, betas, indices = _choices()
    variables = [
        [tf.Variable(array) for array in group]
        for group in (alphas, betas, [np.eye(4)[index] for index in indices])
    ]

    def gradients(weights):
        with tf.GradientTape() as tape:
            latency = decoupled_latency(*variables, costs, weights)
        return tape.gradient(latency, variables, unconnected_gradients="zero")

    base, changed = gradients(LatencyWeights(1, 1, 1)), gradients(LatencyWeights(2, 3, 5))
    for factor, before, after in zip((2, 3, 5), base, changed, strict=True):
        for old, new in zip(before, after, strict=True):
            assert np.any(old.numpy() != 0)
            np.testing.assert_allclose(new, factor * old.numpy(), rtol=1e-9)


def test_auto_weights_are_inverse_to_the_spreads():
    costs = _costs()
    even_alphas, even_betas, widest = _even()

    def spread(latencies):
        return max(latencies) - min(latencies)

    spreads = [
        spread(
            [
                _enumerate(
                    [np.eye(5)[[k] * len(a)] for a in even_alphas], even_betas, widest, costs
                )
                for k in range(5)
            ]
        ),
        spread(
            [
                _enumerate(
                    even_alphas, [np.eye(2)[[k] * len(b)] for b in even_betas], widest, costs
                )
                for k in range(2)
            ]
        ),
        spread(
            [
                _enumerate(even_alphas, even_betas, [np.full_like(w, k) for w in widest], costs)
                for k in range(4)
            ]
        ),
    ]
    weights = auto_weights(costs, LAYERS)
    inverse = 1 / np.array(spreads)
    np.testing.assert_allclose(
        (weights.operator, weights.path, weights.width), inverse / inverse.sum(), rtol=1e-4
    )


def test_on_the_released_table_the_path_counts_most():
    """Paths move the published supernet's latency least, as its paper says: they weigh most."""
    costs = supernet_costs(released_table(), stem_width=8 / 12, head_width=8 / 12)
    weights = auto_weights(costs, num_layers=16)
    assert weights.path > weights.width > weights.operator > 0
    assert weights.operator + weights.path + weights.width == pytest.approx(1)


def test_a_single_width_has_no_weight():
    table = released_table()
    costs = supernet_costs(table, stem_width=1.0, head_width=1.0, widths=(1.0,))
    weights = auto_weights(costs, num_layers=6)
    assert weights.width == 0
    assert weights.operator > 0
    assert weights.path > 0


def test_a_flat_table_has_no_auto_weights():
    pair, line = np.ones((5, 4, 4)), np.ones((5, 4))
    costs = _costs(
        keep=[pair] * 3, down=[pair] * 2, first_keep=line, first_down=line, last_keep=[line] * 3
    )
    with pytest.raises(ValueError, match="no choice of operation, path or width"):
        auto_weights(costs, LAYERS)


@pytest.mark.parametrize("values", [(-0.1, 1.0, 1.0), (0.0, 0.0, 0.0), (float("nan"), 1.0, 1.0)])
def test_impossible_weights_are_refused(values):
    with pytest.raises(ValueError, match="Latency weights must be"):
        LatencyWeights(*values)
