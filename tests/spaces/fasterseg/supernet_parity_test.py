"""The supernet against the released implementation, pass by pass."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.spaces.fasterseg.choices import one_hot_widths, uniform_widths
from keras_fasterseg.spaces.fasterseg.released import supernet_assignments
from keras_fasterseg.spaces.fasterseg.settings import WIDTH_MULTIPLIERS
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from tests.shared import load_fixture
from tests.spaces.fasterseg.fixed_noise import with_noise
from tests.spaces.fasterseg.released_state import (
    NUM_LAYERS,
    released_architecture,
    released_supernet,
)

ROLES = (TEACHER, STUDENT)
WIDEST, NARROWEST = len(WIDTH_MULTIPLIERS) - 1, 0
# Logits up to 20 in size through some 30 convolutions of float32 differ by 5e-5.
LOGITS = 2e-5
# Batch statistics of 16 pixels at 1/32 amplify that; and among a million activations one or two lie
# so near to the kink of a ReLU that rounding decides over their gradient. Images changed by 1e-6
# bring the gradients to 1e-4 of the fixture, or as far as this from it.
ONE_PASS, FOUR_PASSES = 5e-3, 1.5e-2


@dataclasses.dataclass
class Released:
    """The fixture, and ours with its weights."""

    fixture: dict
    supernet: object
    architectures: dict

    def noise(self, prefix):
        return [self.fixture[f"{prefix}/U_scale{j}"] for j in range(3)]


@pytest.fixture(scope="module")
def released(full_size_fixtures):
    fixture = load_fixture("supernet_L6_F6", full_size_fixtures)
    supernet = released_supernet(fixture, blend="outputs")
    return Released(fixture, supernet, {r: released_architecture(fixture, r) for r in ROLES})


@pytest.fixture
def restored(released):
    """`released`, whose running statistics are put back after the test."""
    weights = released.supernet.get_weights()
    yield released
    released.supernet.set_weights(weights)


def constant(widths):
    return uniform_widths(widths, NUM_LAYERS, len(WIDTH_MULTIPLIERS))


def named(predictions):
    return {name.replace("scale_", "pred"): y for name, y in predictions._asdict().items()}


def below(fixture, prefix):
    return {k.removeprefix(prefix): value for k, value in fixture.items() if k.startswith(prefix)}


def assert_close(actual, expected, tolerance, what, floor=1.0):
    """Differences relative to the largest value, or to `floor` where all are smaller."""
    size = max(floor, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * size, err_msg=what)


@pytest.mark.parametrize("width", [WIDEST, NARROWEST])
@pytest.mark.parametrize("role", ROLES)
def test_predictions_at_one_width(released, role, width):
    choices = dataclasses.replace(released.architectures[role](), widths=width)
    predictions = released.supernet(released.fixture["x_nhwc"][:1], choices=choices)
    prefix = f"eval/arch{ROLES.index(role)}_{'max' if width == WIDEST else 'min'}"
    for name, logits in named(predictions).items():
        assert_close(logits, released.fixture[f"{prefix}/{name}_pre_nhwc"], LOGITS, name)
        full = resize_bilinear(logits, (64, 128))[:, ::5, ::3]
        assert_close(full, released.fixture[f"{prefix}/{name}_post_sub_nhwc"], LOGITS, name)


def test_predictions_at_sampled_widths(released):
    prefix = "eval/arch1_arch_ratio"
    choices = with_noise(released.architectures[STUDENT], released.noise(prefix))(training=True)
    predictions = released.supernet(released.fixture["x_nhwc"][:1], choices=choices)
    for name, logits in named(predictions).items():
        full = resize_bilinear(logits, (64, 128))[:, ::5, ::3]
        assert_close(full, released.fixture[f"{prefix}/{name}_post_sub_nhwc"], LOGITS, name)


def passes(released, make_choices, min_kept):
    """Loss, gradients and last predictions of one pass after the other, in training mode.

    Args:
        make_choices: One function a pass; it calls an architecture, under the tape.
        min_kept: Of the OHEM loss.

    Returns:
        The sum of the losses, the summed gradients of the two architectures' parameters and of the
        supernet's trainable weights, and the predictions of the last pass.
    """
    supernet, fixture = released.supernet, released.fixture
    parameters = {
        f"{family}_{index}_{j + (family == 'beta')}": variable.value
        for index, role in enumerate(ROLES)
        for family, attribute in (("alpha", "alphas"), ("beta", "betas"), ("ratio", "gammas"))
        for j, variable in enumerate(getattr(released.architectures[role], attribute))
    }
    weights = {weight.path: weight.value for weight in supernet.trainable_variables}
    total, sums, predictions = 0.0, {}, None
    for make in make_choices:
        with tf.GradientTape() as tape:
            predictions = supernet(fixture["x_nhwc"], choices=make(), training=True)
            loss = sum(
                ohem_cross_entropy(fixture["target_int32"], logits, min_kept=min_kept)
                for logits in predictions
            )
        gradients = tape.gradient(loss, {**parameters, **weights})
        total += float(loss)
        for name, gradient in gradients.items():
            if gradient is not None:
                sums[name] = sums.get(name, 0.0) + tf.convert_to_tensor(gradient).numpy()
    return total, sums, predictions


def assert_gradients(released, gradients, prefix, tolerance):
    """Gradients of the parameters entry by entry, those of the weights by their norms."""
    fixture = released.fixture
    expected = below(fixture, f"{prefix}/grad/")
    reached = {name for name in expected if np.any(gradients.get(name, 0.0))}
    assert reached == {name for name, gradient in expected.items() if gradient.size}
    for name in reached:
        assert_close(gradients[name], expected[name], tolerance, name, floor=1e-3)

    norms = {}
    for assignment in supernet_assignments(released.supernet):
        if assignment.weight.path in gradients:
            gradient = gradients[assignment.weight.path][assignment.index]
            norms[assignment.name] = float(np.linalg.norm(gradient))
    expected = below(fixture, f"{prefix}/grad_norm/")
    assert {name for name, norm in norms.items() if norm} == expected.keys()
    for name, norm in expected.items():
        np.testing.assert_allclose(norms[name], norm, rtol=tolerance, err_msg=name)


def test_one_sampled_training_pass(restored):
    noise = restored.noise("train_single")

    def sample():
        return with_noise(restored.architectures[STUDENT], noise)(training=True)

    loss, gradients, predictions = passes(restored, [sample], min_kept=0)
    for name, logits in named(predictions).items():
        assert_close(logits, restored.fixture[f"train_single/{name}_nhwc"], 1e-4, name)
    np.testing.assert_allclose(loss, restored.fixture["train_single/loss"], rtol=1e-5)
    assert_gradients(restored, gradients, "train_single", ONE_PASS)


def test_the_four_passes_of_a_search_step(restored):
    # The released loss leaves the architecture index at the student for the widest and narrowest.
    noise = restored.noise("loss_search")
    teacher, student = (restored.architectures[role] for role in ROLES)
    loss, gradients, _ = passes(
        restored,
        [
            lambda: dataclasses.replace(teacher(), widths=constant(WIDEST)),
            lambda: with_noise(student, noise)(training=True),
            lambda: dataclasses.replace(student(), widths=constant(WIDEST)),
            lambda: dataclasses.replace(student(), widths=constant(NARROWEST)),
        ],
        min_kept=20,
    )
    np.testing.assert_allclose(loss, restored.fixture["loss_search/loss"], rtol=1e-5)
    assert_gradients(restored, gradients, "loss_search", FOUR_PASSES)


def test_the_four_passes_of_a_pretraining_step(restored):
    teacher = restored.architectures[TEACHER]

    def random_widths(draw):
        drawn = [restored.fixture[f"loss_pretrain/random{draw}_scale{j}"] for j in range(3)]
        indices = [np.abs(w[:, None] - np.array(WIDTH_MULTIPLIERS)).argmin(axis=-1) for w in drawn]
        return one_hot_widths(indices, len(WIDTH_MULTIPLIERS))

    settings = [constant(WIDEST), constant(NARROWEST), random_widths(0), random_widths(1)]
    loss, gradients, _ = passes(
        restored,
        [
            lambda widths=widths: dataclasses.replace(teacher(), widths=widths)
            for widths in settings
        ],
        min_kept=20,
    )
    np.testing.assert_allclose(loss, restored.fixture["loss_pretrain/loss"], rtol=1e-5)
    assert_gradients(restored, gradients, "loss_pretrain", FOUR_PASSES)
