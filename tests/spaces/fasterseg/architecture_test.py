import json
import math

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from tests.shared import load_fixture
from tests.spaces.fasterseg.fixed_noise import with_noise
from tests.spaces.fasterseg.released_state import released_architecture


def noise(seed, num_layers=6, num_widths=5):
    generator = np.random.default_rng(seed)
    counts = (num_layers - 1, num_layers - 1, num_layers - 2)
    return [generator.uniform(size=(n, num_widths)).astype("float32") for n in counts]


@pytest.mark.parametrize("role", [TEACHER, STUDENT])
def test_shapes_and_initial_logits(role):
    architecture = Architecture(role)
    shapes = [tuple(weight.shape) for weight in architecture.trainable_variables]
    expected = [(16, 5), (15, 5), (14, 5), (14, 2), (13, 2)]
    if role == STUDENT:
        expected += [(15, 5), (15, 5), (14, 5)]
    assert shapes == expected
    for weight in architecture.trainable_variables:
        np.testing.assert_array_equal(weight, np.full(weight.shape, 1e-3, "float32"))


@pytest.mark.parametrize("role", [TEACHER, STUDENT])
def test_equal_logits_are_equal_shares(role):
    choices = Architecture(role, 6)()
    assert choices.role == role
    for alphas in choices.alphas:
        np.testing.assert_allclose(alphas, np.full(alphas.shape, 0.2), rtol=1e-6)
    for betas in choices.betas:
        np.testing.assert_allclose(betas, np.full(betas.shape, 0.5), rtol=1e-6)


def test_shares_are_the_softmax_of_the_logits():
    architecture = Architecture(STUDENT, 4)
    logits = np.log(np.array([[1, 2, 3, 4, 6]] * 3, "float32"))
    architecture.alphas[1].assign(logits)
    shares = np.array([1, 2, 3, 4, 6]) / 16
    np.testing.assert_allclose(architecture().alphas[1], [shares] * 3, rtol=1e-6)


@pytest.mark.parametrize("training", [False, True])
def test_the_teacher_is_widest_always(training):
    assert Architecture(TEACHER, 6)(training=training).widths == 4
    assert Architecture(TEACHER, 6, num_widths=3)(training=training).widths == 2


def test_sampled_widths_are_one_hot():
    for rows in Architecture(STUDENT, 6, seed=1)(training=True).widths:
        values = np.array(rows)
        np.testing.assert_allclose(values.max(axis=-1), 1.0, atol=1e-6)
        np.testing.assert_allclose(np.sort(values, axis=-1)[:, :-1], 0.0, atol=1e-6)


def test_sampled_widths_are_the_argmax_of_logits_and_gumbel_noise():
    architecture = Architecture(STUDENT, 6)
    generator = np.random.default_rng(0)
    for gamma in architecture.gammas:
        gamma.assign(generator.normal(size=gamma.shape))
    uniform = noise(1)
    widths = with_noise(architecture, uniform)(training=True).widths
    for rows, gamma, u in zip(widths, architecture.gammas, uniform, strict=True):
        expected = np.argmax(np.array(gamma) - np.log(-np.log(u)), axis=-1)
        np.testing.assert_array_equal(np.argmax(rows, axis=-1), expected)


def test_samples_follow_the_logits():
    """Over many draws a width comes as often as its softmax says."""
    architecture = Architecture(STUDENT, 16, num_widths=2, seed=3)
    for gamma in architecture.gammas:
        gamma.assign(np.tile([[math.log(3.0), 0.0]], (gamma.shape[0], 1)))
    draws = [np.array(architecture(training=True).widths[0])[:, 0] for _ in range(80)]
    # 1200 draws of probability .75: the standard deviation of their share is .0125.
    assert abs(np.mean(draws) - 0.75) < 0.05


def test_the_temperature_scales_the_gradient_only():
    architecture = Architecture(STUDENT, 6)
    uniform, rows = noise(2), []
    for temperature in (1.0, 1e3):
        with tf.GradientTape() as tape:
            widths = with_noise(architecture, uniform)(
                training=True, temperature=temperature
            ).widths
            total = tf.reduce_sum(widths[0] * uniform[0])
        gradient = tape.gradient(total, architecture.gammas[0].value)
        rows.append((np.array(widths[0]), np.abs(gradient).max()))
    (sharp, steep), (soft, flat) = rows
    np.testing.assert_allclose(sharp, soft, atol=1e-6)
    assert steep > 100 * flat > 0


def test_without_training_the_likeliest_width_is_taken():
    architecture = Architecture(STUDENT, 6)
    generator = np.random.default_rng(0)
    for gamma in architecture.gammas:
        gamma.assign(generator.normal(size=gamma.shape))
    for rows, gamma in zip(architecture().widths, architecture.gammas, strict=True):
        likeliest = np.argmax(np.array(gamma), axis=-1)
        np.testing.assert_array_equal(rows, np.eye(5)[likeliest])


def test_one_seed_draws_the_same_samples_and_another_others():
    def draw(seed):
        architecture = Architecture(STUDENT, 6, seed=seed)
        return [np.concatenate(architecture(training=True).widths) for _ in range(3)]

    first, second, third = draw(5)
    np.testing.assert_array_equal(draw(5), [first, second, third])
    assert np.any(first != second)
    assert np.any(second != third)
    assert np.any(np.array(draw(6)) != [first, second, third])


def test_gradients_of_samples_reach_every_gamma():
    architecture = Architecture(STUDENT, 6, seed=0)
    cotangents = noise(3)
    with tf.GradientTape() as tape:
        widths = architecture(training=True).widths
        total = sum(tf.reduce_sum(w * g) for w, g in zip(widths, cotangents, strict=True))
    for gradient in tape.gradient(total, [gamma.value for gamma in architecture.gammas]):
        assert np.all(gradient != 0)


def test_logits_are_what_derivation_takes():
    logits = Architecture(STUDENT, 6).logits()
    assert {name: [rows.shape for rows in family] for name, family in logits.items()} == {
        "alphas": [(6, 5), (5, 5), (4, 5)],
        "betas": [(4, 2), (3, 2)],
        "gammas": [(5, 5), (5, 5), (4, 5)],
    }
    gammas = Architecture(TEACHER, 6).logits()["gammas"]
    assert [rows.shape for rows in gammas] == [(5, 1), (5, 1), (4, 1)]


def test_released_logits_load():
    fixture = load_fixture("supernet_L6_F6")
    student = released_architecture(fixture, STUDENT).logits()
    np.testing.assert_array_equal(student["alphas"][2], fixture["w/alpha_1_2"])
    np.testing.assert_array_equal(student["betas"][0], fixture["w/beta_1_1"])
    np.testing.assert_array_equal(student["gammas"][1], fixture["w/ratio_1_1"])
    teacher = released_architecture(fixture, TEACHER).logits()
    np.testing.assert_array_equal(teacher["alphas"][0], fixture["w/alpha_0_0"])


def test_entropies_are_1_for_uniform_and_0_for_decided_parameters():
    architecture = Architecture(STUDENT, 6)
    assert architecture.entropies() == pytest.approx({"alpha": 1, "beta": 1, "gamma": 1})
    for weight in architecture.trainable_variables:
        weight.assign(1e3 * np.eye(weight.shape[-1])[np.zeros(weight.shape[0], int)])
    assert architecture.entropies() == pytest.approx({"alpha": 0, "beta": 0, "gamma": 0}, abs=1e-9)
    assert Architecture(TEACHER, 6).entropies() == pytest.approx({"alpha": 1, "beta": 1})


def test_the_entropy_is_the_mean_over_all_rows():
    architecture = Architecture(STUDENT, 4)
    # Two rows of beta at 1/16, one at 1/32: one of the three has the entropy of (1/4, 3/4).
    architecture.betas[1].assign([[0.0, math.log(3.0)]])
    share = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / math.log(2)
    assert architecture.entropies()["beta"] == pytest.approx((2 + share) / 3, rel=1e-6)


def test_config_round_trip():
    config = Architecture(STUDENT, 5, num_widths=3, seed=7, name="mine").get_config()
    json.dumps(config)
    copy = Architecture.from_config(config)
    assert copy.get_config() == config
    assert [tuple(gamma.shape) for gamma in copy.gammas] == [(4, 3), (4, 3), (3, 3)]


def test_mixed_precision_keeps_the_logits_in_float32():
    architecture = Architecture(STUDENT, 4, dtype="mixed_float16")
    choices = architecture(training=True)
    tensors = (*choices.alphas, *choices.betas, *choices.widths)
    assert all(tensor.dtype == "float32" for tensor in tensors)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"role": "pupil"}, r"`role` must be 'teacher' or 'student'\. Received: role='pupil'"),
        ({"role": STUDENT, "num_layers": 3}, r"at least 4\. Received: num_layers=3"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Architecture(**arguments)
