"""Distillation against the released implementation and closed forms."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.losses import distillation_loss
from tests.shared import assert_known, load_fixture


def loss_and_gradient(student, teacher, **options):
    student, teacher = tf.constant(student), tf.constant(teacher)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((student, teacher))
        loss = distillation_loss(student, teacher, **options)
    assert tape.gradient(loss, teacher) is None
    return loss.numpy(), tape.gradient(loss, student).numpy()


def log_softmax_numpy(logits):
    logits = np.asarray(logits, "float64")
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def random_logits(seed):
    return np.random.default_rng(seed).normal(0, 3, (2, 3, 4, 5)).astype("float32")


@pytest.mark.parametrize("jit_compile", [False, True])
def test_equals_the_released_loss(jit_compile):
    fixture = load_fixture("kl")
    loss, gradient = loss_and_gradient(
        fixture["student_logits_nhwc"], fixture["teacher_logits_nhwc"], jit_compile=jit_compile
    )
    assert loss == pytest.approx(fixture["loss"], rel=1e-5)
    expected = fixture["grad_nhwc"]
    # Two float32 softmaxes in another order of summation.
    assert_known(gradient, expected, rtol=1e-4, atol=1e-5 * np.nanmax(np.abs(expected)))


def test_pixel_mean_is_larger_by_the_number_of_classes():
    fixture = load_fixture("kl")
    loss, gradient = loss_and_gradient(
        fixture["student_logits_nhwc"], fixture["teacher_logits_nhwc"], reduction="pixel_mean"
    )
    assert loss == pytest.approx(fixture["per_pixel_mean_kl_float64"], rel=1e-5)
    expected = 19 * fixture["grad_nhwc"]
    assert_known(gradient, expected, rtol=1e-4, atol=1e-5 * np.nanmax(np.abs(expected)))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("gap", [100.0, 1e4])
def test_far_apart_logits_stay_finite(gap, jit_compile):
    """Two classes, opinions opposed: KL = gap, its gradient (-1, 1) over the two elements."""
    student = np.array([[[[gap, 0.0]]]], "float32")
    loss, gradient = loss_and_gradient(student, student[..., ::-1].copy(), jit_compile=jit_compile)
    assert loss == pytest.approx(gap / 2)
    np.testing.assert_allclose(gradient, [[[[0.5, -0.5]]]], atol=1e-6)


def test_agreement_costs_nothing():
    loss, gradient = loss_and_gradient(random_logits(0), random_logits(0))
    assert loss == 0
    np.testing.assert_allclose(gradient, 0, atol=1e-7)


def test_temperature_softens_both_and_keeps_the_size():
    student, teacher, temperature = random_logits(0), random_logits(1), 4.0
    loss, gradient = loss_and_gradient(
        student, teacher, temperature=temperature, reduction="pixel_mean"
    )
    log_student = log_softmax_numpy(student / temperature)
    log_teacher = log_softmax_numpy(teacher / temperature)
    divergence = (np.exp(log_teacher) * (log_teacher - log_student)).sum(-1).mean()
    assert loss == pytest.approx(temperature**2 * divergence, rel=1e-5)
    expected = temperature * (np.exp(log_student) - np.exp(log_teacher)) / student[..., 0].size
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_channels_are_distributions_over_the_pixels_of_an_image(jit_compile):
    student, teacher, temperature = random_logits(0), random_logits(1), 4.0
    loss, gradient = loss_and_gradient(
        student, teacher, kind="channel", temperature=temperature, jit_compile=jit_compile
    )
    # (batch, classes, pixels)
    rows = [np.moveaxis(each, -1, 1).reshape(2, 5, 12) / temperature for each in (student, teacher)]
    log_student, log_teacher = map(log_softmax_numpy, rows)
    divergence = (np.exp(log_teacher) * (log_teacher - log_student)).sum(-1).mean()
    assert loss == pytest.approx(temperature**2 * divergence, rel=1e-5)
    expected = temperature * (np.exp(log_student) - np.exp(log_teacher)) / (2 * 5)
    expected = np.moveaxis(expected.reshape(2, 5, 3, 4), 1, -1)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_half_precision_is_computed_in_float32():
    student, teacher = (tf.cast(random_logits(seed), "bfloat16") for seed in (0, 1))
    loss = distillation_loss(student, teacher)
    assert loss.dtype == tf.float32
    expected = distillation_loss(tf.cast(student, "float32"), tf.cast(teacher, "float32"))
    assert loss.numpy() == pytest.approx(expected.numpy(), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "temperature=0"),
        ({"reduction": "mean"}, "element_mean.*'mean'"),
        ({"kind": "spatial"}, "pixel.*channel.*'spatial'"),
    ],
)
def test_says_which_option_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        distillation_loss(random_logits(0), random_logits(1), **options)


def test_says_that_the_shapes_differ():
    with pytest.raises(ValueError, match=r"teacher_logits\.shape=\(2, 1, 4, 5\)"):
        distillation_loss(random_logits(0), random_logits(1)[:, :1])
