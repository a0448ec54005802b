import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts
from keras_fasterseg.spaces.fasterseg.expected_latency import branch_latencies, expected_latency
from tests.shared import load_fixture
from tests.spaces.fasterseg.path_enumeration import enumerated_latency
from tests.spaces.fasterseg.released_costs import (
    PRIMITIVES,
    SCALES,
    WIDTHS,
    cell_ms,
    released_table,
    stem_ms,
    supernet_costs,
)
from tests.spaces.fasterseg.released_recursion import released_latency


def random_costs(seed=0, operations=5, widths=4):
    generator = np.random.default_rng(seed)

    def draw(*shape):
        return generator.uniform(0.1, 1.0, shape)

    return LatencyCosts(
        stem_ms=2.5,
        keep=tuple(draw(operations, widths, widths) for _ in range(3)),
        down=tuple(draw(operations, widths, widths) for _ in range(2)),
        first_keep=draw(operations, widths),
        first_down=draw(operations, widths),
        last_keep=tuple(draw(operations, widths) for _ in range(3)),
    )


def softmax(logits):
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def random_choices(num_layers, operations=5, widths=4, seed=1):
    """α, β and the widths' indices of all nodes, in float64."""
    generator = np.random.default_rng(seed)
    alphas = [softmax(generator.normal(size=(num_layers - j, operations))) for j in range(3)]
    betas = [softmax(generator.normal(size=(num_layers - 1 - j, 2))) for j in (1, 2)]
    indices = [generator.integers(widths, size=num_layers - max(j, 1)) for j in range(3)]
    return alphas, betas, indices


def uniform_choices(num_layers, width_index):
    alphas = [np.full((num_layers - j, 5), 0.2, "float32") for j in range(3)]
    betas = [np.full((num_layers - 1 - j, 2), 0.5, "float32") for j in (1, 2)]
    gammas = [
        np.eye(5, dtype="float32")[[width_index] * (num_layers - max(j, 1))] for j in range(3)
    ]
    return alphas, betas, gammas


def test_the_published_supernet_at_its_start():
    """Golden number 25.9416 ms: student's stem, maximal widths, rows charged as released."""
    table = released_table(reference_quirks=True)
    costs = supernet_costs(table, stem_width=8 / 12, head_width=8 / 12)
    latency = expected_latency(*uniform_choices(16, width_index=4), costs)
    assert float(latency) == pytest.approx(25.9416, abs=1e-4)


@pytest.mark.parametrize(("width_index", "expected"), [(4, 27.712), (0, 11.282)])
def test_the_published_supernet_at_its_start_by_the_released_recursion(width_index, expected):
    table = released_table(reference_quirks=True)
    costs = supernet_costs(table, stem_width=8 / 12, head_width=8 / 12)
    latency = released_latency(*uniform_choices(16, width_index), costs)
    assert float(latency) == pytest.approx(expected, abs=5e-4)


# Where the branches go down: to /8, to /16 and to /32, at the first and last layers possible too.
@pytest.mark.parametrize("downs", [(), (0,), (2,), (4,), (0, 1), (1, 3), (3, 4), (0, 4)])
def test_one_hot_choices_along_a_branch_equal_the_hand_sum(downs):
    num_layers, generator = 6, np.random.default_rng(len(downs))
    operations = [generator.integers(5, size=num_layers - j) for j in range(3)]
    widths = [generator.integers(5, size=num_layers - max(j, 1)) for j in range(3)]
    betas = [np.tile([0.0, 1.0], (num_layers - 1 - j, 1)) for j in (1, 2)]
    for scale, layer in enumerate(downs, start=1):
        if layer + 1 > scale:
            betas[scale - 1][layer - scale] = (1.0, 0.0)
    table = released_table()
    costs = supernet_costs(table, stem_width=8 / 12, head_width=1.0)
    latencies = branch_latencies(
        [np.eye(5)[choice] for choice in operations],
        betas,
        [np.eye(5)[choice] for choice in widths],
        costs,
    )

    total, scale, width = stem_ms(table, 8 / 12), 0, 8 / 12
    for layer in range(num_layers):
        operation = PRIMITIVES[operations[scale][layer - scale]]
        target = scale + (layer in downs)
        node = layer if target == 0 else layer - target + 1
        out_width = 1.0 if layer == num_layers - 1 else WIDTHS[widths[target][node]]
        stride = 2 if layer in downs else 1
        total += cell_ms(table, operation, SCALES[scale], stride, width, out_width)
        scale, width = target, out_width
    assert float(latencies[len(downs)]) == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize("num_layers", [3, 4, 7])
def test_soft_choices_equal_the_mean_over_all_paths(num_layers):
    alphas, betas, indices = random_choices(num_layers)
    costs = random_costs()
    latency = expected_latency(alphas, betas, [np.eye(4)[index] for index in indices], costs)
    ones = [np.ones(len(index)) for index in indices]
    expected = enumerated_latency(alphas, betas, indices, ones, costs)
    assert float(latency) == pytest.approx(expected, abs=1e-9)


def test_gradients_equal_central_differences_of_the_enumeration():
    alphas, betas, indices = random_choices(num_layers=5)
    costs = random_costs()
    gammas = [np.eye(4)[index] for index in indices]
    # β through its softmax: recursion and enumeration agree only where its rows sum to 1.
    logits = [np.log(beta) for beta in betas]
    variables = [[tf.Variable(array) for array in group] for group in (alphas, logits, gammas)]
    with tf.GradientTape() as tape:
        blended = [tf.nn.softmax(beta) for beta in variables[1]]
        latency = expected_latency(variables[0], blended, variables[2], costs)
    gradients = tape.gradient(latency, variables)

    scores = [np.ones(len(index)) for index in indices]

    def evaluate():
        blended = [softmax(beta) for beta in logits]
        return enumerated_latency(alphas, blended, indices, scores, costs)

    for family, group in enumerate((alphas, logits, scores)):
        for scale, array in enumerate(group):
            numeric = _central_differences(evaluate, array)
            if family == 2:
                # Only the sampled entry of a node's γ carries a gradient.
                numeric = gammas[scale] * numeric[:, None]
            received = gradients[family][scale].numpy()
            np.testing.assert_allclose(received, numeric, atol=1e-6)


def _central_differences(evaluate, array, step=1e-4):
    """The derivative of `evaluate()` by every entry of `array`, which it reads."""
    numeric = np.zeros_like(array)
    for position in itertools.product(*map(range, array.shape)):
        original = array[position]
        array[position] = original + step
        above = evaluate()
        array[position] = original - step
        numeric[position] = (above - evaluate()) / (2 * step)
        array[position] = original
    return numeric


def test_every_beta_of_both_scales_is_pulled():
    costs = supernet_costs(released_table(), stem_width=8 / 12, head_width=8 / 12)
    alphas, _, gammas = uniform_choices(16, width_index=4)
    logits = [tf.Variable(tf.fill((15 - j, 2), 1e-3)) for j in (1, 2)]
    with tf.GradientTape() as tape:
        latency = expected_latency(alphas, [tf.nn.softmax(beta) for beta in logits], gammas, costs)
    for gradient in tape.gradient(latency, logits):
        assert np.all(np.abs(gradient.numpy()) > 1e-6)


def test_it_traces_with_static_shapes_and_equals_eager():
    costs = random_costs()
    alphas, betas, indices = random_choices(6)
    choices = [
        [tf.constant(array, "float32") for array in group]
        for group in (alphas, betas, [np.eye(4)[index] for index in indices])
    ]
    traced = tf.function(lambda *choices: expected_latency(*choices, costs))
    eager = expected_latency(*choices, costs)
    np.testing.assert_allclose(traced(*choices), eager, rtol=1e-6)
    assert eager.dtype == tf.float32


@pytest.mark.parametrize(("family", "name"), [(0, "`alphas`"), (1, "`betas`"), (2, "`widths`")])
def test_shapes_of_another_supernet_are_refused(family, name):
    alphas, betas, indices = random_choices(6)
    choices = [alphas, betas, [np.eye(4)[index] for index in indices]]
    choices[family] = [*choices[family][:-1], choices[family][-1][1:]]
    with pytest.raises(ValueError, match=f"{name} of a supernet with 6 layers"):
        expected_latency(*choices, random_costs())


def test_fewer_layers_than_scales_are_refused():
    alphas, betas, indices = random_choices(3)
    choices = [[array[:-1] for array in group] for group in (alphas, betas, indices)]
    with pytest.raises(ValueError, match="3 scales needs at least 3 layers"):
        expected_latency(*choices, random_costs())


RELEASED = [
    (layers, arch, case)
    for layers in (6, 16)
    for arch in (0, 1)
    for case in ("a1b0r0", "a0b1r0", "a0b0r1", "a1b1r0", "a1b1r1", "a0b0r0", "max", "min")
]


@pytest.mark.parametrize(("layers", "arch", "case"), RELEASED)
def test_the_shared_parts_reproduce_the_released_values_and_gradients(layers, arch, case):
    """The released recursion over this package's cell latencies equals the released code.

    The fixtures are float32 sums of some hundred terms, hence the relative 1e-5.
    """
    fixture = load_fixture("latency_supernet")
    prefix = f"L{layers}/arch{arch}/" + (f"prun_{case}" if case in ("max", "min") else case)
    width = 1.0 if arch == 0 else 8 / 12
    table = released_table(reference_quirks=True)
    costs = supernet_costs(table, stem_width=width, head_width=width)
    parameters = {
        f"{family}_{arch}_{scale}": tf.Variable(fixture[f"L{layers}/arch/{family}_{arch}_{scale}"])
        for family, scales in (("alpha", (0, 1, 2)), ("beta", (1, 2)), ("ratio", (0, 1, 2)))
        for scale in scales
    }
    with tf.GradientTape() as tape:
        choices = _released_choices(parameters, fixture, prefix, arch, case)
        latency = released_latency(*choices, costs)
    gradients = tape.gradient(latency, parameters)

    assert float(latency) == pytest.approx(float(fixture[f"{prefix}/latency"]), rel=1e-5)
    for name, gradient in gradients.items():
        key = f"{prefix}/grad/{name}"
        expected = fixture.get(key, np.zeros(parameters[name].shape))
        received = np.zeros_like(expected) if gradient is None else gradient.numpy()
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=2e-5, err_msg=key)


def _released_choices(parameters, fixture, prefix, arch, case):
    by_family = {
        family: [value for name, value in parameters.items() if name.startswith(family)]
        for family in ("alpha", "beta", "ratio")
    }
    alphas = [tf.nn.softmax(alpha) for alpha in by_family["alpha"]]
    betas = [tf.nn.softmax(beta) for beta in by_family["beta"]]
    if "a0" in case:
        alphas = [tf.fill(alpha.shape, 0.2) for alpha in alphas]
    if "b0" in case:
        betas = [tf.fill(beta.shape, 0.5) for beta in betas]
    if "r1" in case and arch == 1:
        gammas = [
            _sample(ratio, fixture[f"{prefix}/U_scale{scale}"])
            for scale, ratio in enumerate(by_family["ratio"])
        ]
    else:
        index = 0 if case == "min" else 4
        gammas = [tf.one_hot([index] * ratio.shape[0], 5) for ratio in by_family["ratio"]]
    return alphas, betas, gammas


def _sample(logits, uniform):
    """The released straight-through Gumbel softmax for its recorded uniform noise."""
    noise = -np.log(-np.log(uniform + 1e-20) + 1e-20)
    soft = tf.nn.softmax(tf.nn.log_softmax(logits) + noise)
    hard = tf.one_hot(tf.argmax(soft, axis=-1), logits.shape[-1])
    return tf.stop_gradient(hard - soft) + soft
