import dataclasses
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.search.search_trainer import SearchTrainer
from keras_fasterseg.spaces.fasterseg.choices import Choices
from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts
from keras_fasterseg.spaces.fasterseg.decoupled import PAPER, LatencyWeights, decoupled_latency
from keras_fasterseg.spaces.fasterseg.latency_penalty import LatencyPenalty
from tests.search.recording_sgd import RecordingSGD
from tests.search.tiny_space import (
    SETTINGS,
    WIDTHS,
    assert_close,
    functions_run_eagerly,
    make_space,
    plain_loss,
    random_batch,
    uniform_setting,
    with_loss,
)
from tests.spaces.fasterseg.path_enumeration import enumerated_latency

CLIP, WEIGHT, TEMPERATURE = 0.5, 0.3, 2.0
# Paths weigh almost all in the paper; here every family is to be seen.
SHARES = LatencyWeights(0.4, 0.3, 0.3)


def random_costs(seed=0):
    generator = np.random.default_rng(seed)

    def rows(*shape):
        return generator.uniform(0.5, 2.0, shape).astype("float32")

    n = len(WIDTHS)
    return LatencyCosts(
        stem_ms=1.0,
        keep=[rows(5, n, n) for _ in range(3)],
        down=[rows(5, n, n) for _ in range(2)],
        first_keep=rows(5, n),
        first_down=rows(5, n),
        last_keep=[rows(5, n) for _ in range(3)],
    )


def make_trainer(space, penalty, architecture_rate=0.0, **kwargs):
    trainer = SearchTrainer(space, penalty, **kwargs)
    trainer.compile(
        RecordingSGD(0.0, momentum=0.0, global_clipnorm=CLIP), RecordingSGD(architecture_rate)
    )
    return trainer


def all_settings(space, sampled):
    """The four settings of a step, one by one."""
    widest, narrowest = uniform_setting(1), uniform_setting(0)
    return [
        dataclasses.replace(space.architectures["teacher"](), widths=widest),
        sampled,
        dataclasses.replace(sampled, widths=widest),
        dataclasses.replace(sampled, widths=narrowest),
    ]


@pytest.fixture(scope="module")
def step():
    """One eager step at learning rate 0 and what one tape says of it, end to end."""
    with functions_run_eagerly():
        return one_step()


def one_step():
    space = make_space()
    penalty = LatencyPenalty(random_costs(), 5.0, SHARES)
    trainer = make_trainer(space, penalty, penalty_weight=WEIGHT, temperature=TEMPERATURE)
    draws = space.architectures["student"].random.state
    before = np.array(draws)
    weight_batch, architecture_batch = random_batch(1), random_batch(2)
    logs = trainer.train_step((weight_batch, architecture_batch))
    draws.assign(before)
    sampled = types.SimpleNamespace(trainer=trainer, space=space, logs=logs)
    architecture = [variable.value for variable in trainer.architecture_variables]
    weights = [variable.value for variable in space.supernet.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        choices = space.architectures["student"](training=True, temperature=TEMPERATURE)
        passes = [
            plain_loss(space.supernet, *architecture_batch, each)
            for each in all_settings(space, choices)
        ]
        latency = decoupled_latency(
            choices.alphas, choices.betas, choices.widths, penalty.costs, SHARES
        )
        total = sum(passes) + WEIGHT * latency / 5.0
    sampled.architecture_gradient = [g.numpy() for g in tape.gradient(total, architecture)]
    sampled.penalty_gradient = tape.gradient(
        latency, architecture, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    sampled.total, sampled.latency = float(total), float(latency)
    del tape
    with tf.GradientTape() as tape:
        choices = space.architectures["student"](training=True, temperature=TEMPERATURE)
        loss = sum(
            plain_loss(space.supernet, *weight_batch, each) for each in all_settings(space, choices)
        )
    gradients = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    clipped, sampled.norm = tf.clip_by_global_norm(gradients, CLIP)
    sampled.weight_gradient = [gradient.numpy() for gradient in clipped]
    sampled.loss = float(loss)
    return sampled


def test_the_architecture_step_follows_its_own_half_and_the_latency(step):
    (gradients,) = step.trainer.architecture_optimizer.gradients
    assert_close(gradients, step.architecture_gradient)
    assert float(step.logs["architecture_loss"]) == pytest.approx(step.total, rel=1e-5)
    assert float(step.logs["latency_penalty"]) == pytest.approx(step.latency / 5.0, rel=1e-5)


def test_the_architecture_step_moves_all_five_families(step):
    names = [variable.path for variable in step.trainer.architecture_variables]
    for role, families in (("teacher", "alpha beta"), ("student", "alpha beta gamma")):
        for family in families.split():
            found = [name for name in names if name.startswith(role) and family in name]
            assert found
            for name in found:
                assert step.architecture_gradient[names.index(name)].any()
    assert not any(name.startswith("teacher") and "gamma" in name for name in names)


def test_latency_is_the_students_alone(step):
    variables = step.trainer.architecture_variables
    for variable, gradient in zip(variables, step.penalty_gradient, strict=True):
        assert gradient.numpy().any() == variable.path.startswith("student")


def test_the_weight_step_follows_the_other_half(step):
    (gradients,) = step.trainer.optimizer.gradients
    assert float(step.norm) > CLIP
    assert_close(gradients, step.weight_gradient)
    assert float(step.logs["loss"]) == pytest.approx(step.loss, rel=1e-5)


class FakeLoss:
    """A loss that costs nothing; its gradients are multiples of the tensors themselves."""

    def __init__(self, supernet, factor=0.0):
        self.supernet = supernet
        self.factor = factor

    def __call__(self, images, labels, choices, frozen=False):
        tensors = tf.nest.flatten(choices) if frozen else self.supernet.trainable_variables
        tensors = [tf.convert_to_tensor(tensor) for tensor in tensors]
        return self.factor * tf.add_n([tf.nn.l2_loss(tensor) for tensor in tensors])


def fake_step(space, penalty, factor=0.0, **kwargs):
    trainer = make_trainer(with_loss(space, FakeLoss(space.supernet, factor)), penalty, **kwargs)
    space.architectures["student"].random.state.assign([3, 0])
    logs = trainer.train_step((random_batch(), random_batch()))
    return trainer, logs, trainer.architecture_optimizer.gradients[0]


def test_no_penalty_no_latency(space):
    _, logs, gradients = fake_step(space, None, penalty_weight=100.0)
    assert float(logs["latency_penalty"]) == 0
    assert float(logs["architecture_loss"]) == 0
    assert not any(gradient.any() for gradient in gradients)


def test_the_penalty_alone_by_finite_differences(space):
    penalty = LatencyPenalty(random_costs(), 5.0, SHARES)
    trainer, _, gradients = fake_step(space, penalty, penalty_weight=WEIGHT)
    variables = trainer.architecture_variables
    names = [variable.path for variable in variables]
    # Not gamma: a hard sample has no differences, its gradient is the straight-through one.
    for name in ("student/alpha_16", "student/beta_16", "student/beta_32"):
        variable, gradient = variables[names.index(name)], gradients[names.index(name)]
        before = np.array(variable)
        values = []
        for sign in (1, -1):
            moved = before.copy()
            moved[0, 0] += sign * 0.05
            variable.assign(moved)
            space.architectures["student"].random.state.assign([3, 0])
            choices = space.architectures["student"](training=True, temperature=1.0)
            values.append(float(penalty(choices)))
        variable.assign(before)
        assert gradient[0, 0] == pytest.approx(WEIGHT * (values[0] - values[1]) / 0.1, rel=0.02)


def test_penalty_weight_and_temperature_are_variables(space):
    penalty = LatencyPenalty(random_costs(), 5.0, SHARES)
    trainer, _, single = fake_step(space, penalty, penalty_weight=WEIGHT)
    trainer.penalty_weight.assign(2 * WEIGHT)
    space.architectures["student"].random.state.assign([3, 0])
    trainer.train_step((random_batch(), random_batch()))
    double = trainer.architecture_optimizer.gradients[1]
    assert any(gradient.any() for gradient in single)
    for one, two in zip(single, double, strict=True):
        np.testing.assert_allclose(two, 2 * one, rtol=1e-5, atol=1e-9)
    trainer.penalty_weight.assign(WEIGHT)
    trainer.temperature.assign(10.0)
    space.architectures["student"].random.state.assign([3, 0])
    trainer.train_step((random_batch(), random_batch()))
    hotter = trainer.architecture_optimizer.gradients[2]
    for variable, one, other in zip(trainer.architecture_variables, single, hotter, strict=True):
        if "gamma" in variable.path:
            # A softmax at ten times the temperature is flatter and its slope divided by ten.
            assert 0 < np.abs(other).max() < np.abs(one).max()
        else:
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-9)


def ready_trainer(seed):
    space = make_space(seed)
    trainer = SearchTrainer(with_loss(space, FakeLoss(space.supernet, 0.1)))
    trainer.compile(
        RecordingSGD(0.1, momentum=0.9), keras.optimizers.Adam(0.05, beta_1=0.5, beta_2=0.999)
    )
    return trainer


def trained_values(trainer):
    variables = [*trainer.supernet.trainable_variables, *trainer.architecture_variables]
    return [np.array(variable) for variable in variables]


def test_a_step_after_loading_is_a_step_without_saving(tmp_path):
    data = (random_batch(), random_batch())
    trainer = ready_trainer(seed=0)
    for _ in range(2):
        trainer.train_step(data)
    trainer.temperature.assign(3.0)
    trainer.save_weights(tmp_path / "search.weights.h5")
    # Keras saves no states of random numbers.
    draws = np.array(trainer.student.random.state)
    trainer.train_step(data)
    loaded = ready_trainer(seed=1)
    loaded.load_weights(tmp_path / "search.weights.h5")
    loaded.student.random.state.assign(draws)
    assert float(loaded.temperature) == 3.0
    assert int(loaded.optimizer.iterations) == int(loaded.architecture_optimizer.iterations) == 2
    loaded.train_step(data)
    # Without Adam's moments or SGD's momentum they would differ.
    for one, other in zip(trained_values(trainer), trained_values(loaded), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-7)


def test_penalty_is_a_share_of_the_target(space):
    costs, choices = random_costs(), space.architectures["student"](training=True)
    expected = decoupled_latency(choices.alphas, choices.betas, choices.widths, costs, PAPER)
    assert float(LatencyPenalty(costs, 4.0)(choices)) == pytest.approx(float(expected) / 4)


def test_an_undivided_penalty_of_one_hot_choices_is_the_sum_of_their_rows():
    """Every cell runs its first primitive and keeps its scale: three ends, their rows by hand."""
    layers, costs, widest = SETTINGS.num_layers, random_costs(), len(WIDTHS) - 1
    alphas = [np.eye(5)[[0] * (layers - j)] for j in range(3)]
    betas = [np.eye(2)[[1] * (layers - 1 - j)] for j in (1, 2)]
    gammas = [np.eye(len(WIDTHS))[[widest] * (layers - max(j, 1))] for j in range(3)]
    at = (0, widest, widest)
    expected = 0.0
    for end in range(3):
        # The first input of a node at scale j leaves layer j - 1, whatever beta says.
        first = costs.first_down if end else costs.first_keep
        expected += costs.stem_ms + first[0, widest] + costs.last_keep[end][0, widest]
        expected += sum(costs.down[scale][at] for scale in range(1, end))
        expected += (layers - 1 - max(end, 1)) * costs.keep[end][at]
    penalty = LatencyPenalty(costs, 4.0, None)
    received = penalty(Choices(alphas, betas, gammas, "student"))
    assert float(received) == pytest.approx(expected / 4, rel=1e-6)


def test_the_gradient_of_an_undivided_penalty_equals_central_differences():
    layers, costs, generator = SETTINGS.num_layers, random_costs(), np.random.default_rng(3)
    alphas = [generator.dirichlet(np.ones(5), layers - j) for j in range(3)]
    logits = [generator.normal(size=(layers - 1 - j, 2)) for j in (1, 2)]
    indices = [generator.integers(len(WIDTHS), size=layers - max(j, 1)) for j in range(3)]
    gammas = [np.eye(len(WIDTHS))[index] for index in indices]
    scores = [np.ones(len(index)) for index in indices]
    variables = [[tf.Variable(array) for array in group] for group in (alphas, logits, gammas)]
    with tf.GradientTape() as tape:
        betas = [tf.nn.softmax(beta) for beta in variables[1]]
        choices = Choices(variables[0], betas, variables[2], "student")
        penalty = LatencyPenalty(costs, 4.0, None)(choices)
    received = tape.gradient(penalty, variables)

    def evaluate():
        betas = [tf.nn.softmax(beta).numpy() for beta in logits]
        return enumerated_latency(alphas, betas, indices, scores, costs) / 4.0

    assert float(penalty) == pytest.approx(evaluate(), rel=1e-6)
    for family, group in enumerate((alphas, logits, scores)):
        for scale, array in enumerate(group):
            numeric = central_differences(evaluate, array)
            if family == 2:
                # Only the sampled entry of a node's gamma carries a gradient.
                numeric = gammas[scale] * numeric[:, None]
            np.testing.assert_allclose(received[family][scale], numeric, rtol=1e-5, atol=1e-6)


def central_differences(evaluate, array, step=1e-4):
    """The derivative of `evaluate()` by every entry of `array`, which it reads."""
    numeric = np.zeros_like(array)
    for position in np.ndindex(array.shape):
        original = array[position]
        array[position] = original + step
        above = evaluate()
        array[position] = original - step
        numeric[position] = (above - evaluate()) / (2 * step)
        array[position] = original
    return numeric


@pytest.mark.parametrize("target", [0.0, -1.0])
def test_the_target_must_be_positive(target):
    with pytest.raises(ValueError, match=f"target_ms={target}"):
        LatencyPenalty(random_costs(), target)
