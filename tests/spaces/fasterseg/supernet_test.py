import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.choices import uniform_widths
from keras_fasterseg.spaces.fasterseg.settings import WIDTH_MULTIPLIERS
from keras_fasterseg.spaces.fasterseg.supernet import Supernet
from keras_fasterseg.spaces.fasterseg.supernet_decoder import Predictions
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from tests.spaces.fasterseg.fixed_noise import with_noise
from tests.spaces.fasterseg.one_hot_choices import (
    BASE_FILTERS,
    NUM_LAYERS,
    choices_of_branch,
    full_branch,
    random_images,
)

ROLES = (TEACHER, STUDENT)
WIDTHS = len(WIDTH_MULTIPLIERS)


@pytest.fixture
def supernet(supernets):
    """The one that blends inputs; its weights are put back after the test."""
    supernet = supernets["inputs"]
    weights = supernet.get_weights()
    yield supernet
    supernet.set_weights(weights)


@pytest.fixture
def eagerly():
    """A single pass, with its gradients above all, costs less than to trace it.

    The parity tests take gradients through traced passes.
    """
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def random_architecture(role, seed=0):
    architecture = Architecture(role, NUM_LAYERS, seed=seed)
    generator = np.random.default_rng(seed)
    for weight in architecture.trainable_variables:
        weight.assign(generator.normal(size=weight.shape))
    return architecture


def noise(seed=0):
    generator = np.random.default_rng(seed)
    return [generator.uniform(size=(n, WIDTHS)).astype("float32") for n in (5, 5, 4)]


def any_path(role, end_width):
    widths = [*WIDTH_MULTIPLIERS, end_width]
    primitives = ["conv", "skip", "conv_2x", "conv_downup", "conv", "conv_2x_downup"]
    return choices_of_branch(full_branch(primitives, (1, 3), widths), role)


def assert_same(actual, expected, tolerance=2e-5):
    """Two sets of predictions agree, relative to their size."""
    for name in Predictions._fields:
        size = np.abs(getattr(expected, name)).max()
        assert size > 0.1
        np.testing.assert_allclose(
            getattr(actual, name), getattr(expected, name), rtol=0, atol=tolerance * size
        )


def statistics(layer):
    return {
        weight.path: np.array(weight)
        for weight in layer.non_trainable_variables
        if "moving" in weight.name
    }


@pytest.mark.parametrize("role", ROLES)
def test_five_predictions_at_an_eighth(supernet, role):
    predictions = supernet(random_images(2, 64, 96), choices=random_architecture(role)())
    assert Predictions._fields == ("scale_8", "scale_16", "scale_32", "scale_8_32", "scale_16_32")
    for logits in predictions:
        assert logits.shape == (2, 8, 12, 3)
        assert logits.dtype == "float32"


@pytest.mark.parametrize("role", ROLES)
def test_trunk_has_the_filters_of_the_heads(supernet, role):
    features = supernet.trunk(random_images(1, 64, 64), random_architecture(role)())
    # 48 s / 8 at the teacher's width 1, 48 * 8/12 = 32 at the student's.
    filters = {TEACHER: (48, 96, 192), STUDENT: (32, 64, 128)}[role]
    assert [tuple(x.shape) for x in features] == [
        (1, side, side, count) for side, count in zip((8, 4, 2), filters, strict=True)
    ]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("index", [0, WIDTHS - 1])
def test_int_widths_are_one_hot_widths(supernet, role, index):
    images, choices = random_images(1, 64, 64), random_architecture(role)()
    sliced = supernet(images, choices=dataclasses.replace(choices, widths=index))
    one_hot = uniform_widths(index, NUM_LAYERS, WIDTHS)
    masked = supernet(images, choices=dataclasses.replace(choices, widths=one_hot))
    assert_same(masked, sliced)


@pytest.mark.parametrize(("role", "end_width"), [(TEACHER, 1.0), (STUDENT, 8 / 12)])
def test_blends_agree_for_one_hot_betas(supernets, role, end_width):
    images, choices = random_images(1, 64, 64), any_path(role, end_width)
    soft = random_architecture(role)()
    choices = dataclasses.replace(choices, alphas=soft.alphas)
    assert_same(*(supernets[blend](images, choices=choices) for blend in ("inputs", "outputs")))


def test_blends_differ_for_soft_betas(supernets):
    images, choices = random_images(1, 64, 64), random_architecture(STUDENT)()
    one, other = (supernets[blend](images, choices=choices) for blend in ("inputs", "outputs"))
    # Both meet at 1/8, where no two paths join.
    np.testing.assert_array_equal(one.scale_8, other.scale_8)
    assert np.abs(one.scale_32 - other.scale_32).max() > 1e-3


def test_roles_have_stems_and_decoders_of_their_own(supernet):
    images = random_images(1, 64, 64)
    student, teacher = (any_path(role, w) for role, w in ((STUDENT, 8 / 12), (TEACHER, 1.0)))
    before = supernet(images, choices=student)
    for part in (supernet.stems[TEACHER], supernet.decoders[TEACHER]):
        part.set_weights([np.zeros_like(weight) for weight in part.get_weights()])
    assert np.abs(supernet(images, choices=teacher).scale_8).max() == 0
    for old, new in zip(before, supernet(images, choices=student), strict=True):
        np.testing.assert_array_equal(new, old)


def gradients_of(supernet, architecture, frozen=False):
    """A random batch's gradients by path, of the architecture and of the weights."""
    images = random_images(2, 64, 64)
    cotangent = np.random.default_rng(1).normal(size=(5, 2, 8, 8, 3)).astype("float32")
    variables = architecture.trainable_variables + supernet.trainable_variables
    with tf.GradientTape() as tape:
        choices = with_noise(architecture, noise())(training=True)
        predictions = supernet(images, choices=choices, training=True, frozen=frozen)
        loss = sum(tf.reduce_sum(y * g) for y, g in zip(predictions, cotangent, strict=True))
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    return predictions, {
        variable.path: None if gradient is None else tf.convert_to_tensor(gradient).numpy()
        for variable, gradient in zip(variables, gradients, strict=True)
    }


@pytest.mark.usefixtures("eagerly")
def test_gradients_reach_every_entry_of_alpha_beta_and_gamma(supernet):
    architecture = random_architecture(STUDENT)
    _, gradients = gradients_of(supernet, architecture)
    assert len(architecture.trainable_variables) == 3 + 2 + 3
    for variable in architecture.trainable_variables:
        assert np.all(gradients[variable.path] != 0), variable.name


@pytest.mark.usefixtures("eagerly")
def test_gradients_reach_the_weights_of_one_role_only(supernet):
    _, gradients = gradients_of(supernet, random_architecture(STUDENT))
    for part in (supernet.stems, supernet.decoders):
        for variable in part[STUDENT].trainable_variables:
            assert np.any(gradients[variable.path]), variable.path
        for variable in part[TEACHER].trainable_variables:
            assert gradients[variable.path] is None, variable.path
    for stack in (*supernet.keep, *supernet.down):
        for variable in stack.trainable_variables:
            layers = gradients[variable.path].reshape(stack.count, -1)
            assert np.all(np.any(layers, axis=-1)), variable.path


@pytest.mark.usefixtures("eagerly")
def test_frozen_changes_nothing_but_the_gradients_of_the_cells(supernet):
    weights = supernet.get_weights()
    architecture = random_architecture(STUDENT)
    predictions, gradients = gradients_of(supernet, architecture)
    free = statistics(supernet)
    supernet.set_weights(weights)
    frozen_predictions, frozen_gradients = gradients_of(supernet, architecture, frozen=True)

    assert_same(frozen_predictions, predictions, tolerance=1e-6)
    for path, value in statistics(supernet).items():
        np.testing.assert_allclose(value, free[path], rtol=1e-6, atol=1e-6)
    cells = {v.path for s in (*supernet.keep, *supernet.down) for v in s.trainable_variables}
    for path, gradient in frozen_gradients.items():
        if path in cells:
            assert not np.any(0.0 if gradient is None else gradient), path
        elif gradient is not None:
            expected = gradients[path]
            np.testing.assert_allclose(
                gradient, expected, rtol=0, atol=1e-4 * np.abs(expected).max(), err_msg=path
            )


@pytest.mark.parametrize("blend", ["inputs", "outputs"])
@pytest.mark.usefixtures("eagerly")
def test_running_statistics_decay_once_a_run_of_a_cell(supernets, blend):
    """Twice a pass for cells with two inputs where outputs are blended, as in the released code."""
    supernet = supernets[blend]
    weights = supernet.get_weights()
    index = 1
    choices = dataclasses.replace(
        random_architecture(STUDENT)(), widths=uniform_widths(index, NUM_LAYERS, WIDTHS)
    )
    images, old, new = random_images(2, 64, 64), {}, {}
    # The batch does not depend on what was stored: of what is stored differently, .9 stays a run.
    for result, offset in ((old, 0.0), (new, 1.0)):
        for variable in supernet.non_trainable_variables:
            if "moving" in variable.name:
                variable.assign(np.full(variable.shape, offset))
        supernet(images, choices=choices, training=True)
        result.update(statistics(supernet))
    supernet.set_weights(weights)

    head_index = WIDTH_MULTIPLIERS.index(8 / 12)
    for j, stack in enumerate(supernet.keep):
        for name, variable in zip(
            stack.names, stack.stacked(stack.template.variables), strict=True
        ):
            if "moving" not in name:
                continue
            change = new[variable.path] - old[variable.path]
            for row in range(stack.count):
                last = row == stack.count - 1
                two_inputs = blend == "outputs" and j > 0 and row > 0
                expected = np.ones(change.shape[1:])
                expected[head_index if last else index] = 0.81 if two_inputs else 0.9
                np.testing.assert_allclose(change[row], expected, atol=1e-5, err_msg=name)


def test_a_pass_in_inference_leaves_the_statistics(supernet):
    before = statistics(supernet)
    supernet(random_images(1, 64, 64), choices=any_path(STUDENT, 8 / 12))
    for path, value in statistics(supernet).items():
        np.testing.assert_array_equal(value, before[path])


def test_a_traced_pass_equals_an_eager_one_and_serves_all_choices(supernet):
    images = random_images(1, 64, 64)
    traces = []

    @tf.function
    def traced(choices):
        traces.append(choices.role)
        return supernet(images, choices=choices)

    for seed in range(2):
        choices = with_noise(random_architecture(STUDENT, seed), noise(seed))(training=True)
        assert_same(traced(choices), supernet(images, choices=choices), tolerance=1e-5)
    assert traces == [STUDENT]


@pytest.mark.usefixtures("eagerly")
def test_config_and_weights_round_trip(supernet, tmp_path):
    supernet.save_weights(tmp_path / "supernet.weights.h5")
    config = supernet.get_config()
    assert config["blend"] == "inputs"
    copy = Supernet.from_config(config)
    assert copy.get_config() == config
    copy.build()
    copy.load_weights(tmp_path / "supernet.weights.h5")
    images, choices = random_images(1, 64, 64), any_path(STUDENT, 8 / 12)
    for old, new in zip(
        supernet(images, choices=choices), copy(images, choices=choices), strict=True
    ):
        np.testing.assert_array_equal(new, old)


@pytest.mark.usefixtures("eagerly")
def test_mixed_precision_keeps_logits_and_statistics_in_float32():
    supernet = Supernet(3, 4, BASE_FILTERS, dtype="mixed_bfloat16")
    supernet.build()
    choices = Architecture(STUDENT, 4)()
    predictions = supernet(random_images(1, 64, 64), choices=choices, training=True)
    for logits in predictions:
        assert logits.dtype == "float32"
        assert np.all(np.isfinite(logits))
    assert {weight.dtype for weight in supernet.weights} <= {"float32", "uint32"}
    exact = Supernet(3, 4, BASE_FILTERS)
    exact.build()
    exact.set_weights(supernet.get_weights())
    # bfloat16 has 8 bits: an inference pass of some 20 convolutions stays within a tenth.
    rounded = supernet(random_images(1, 64, 64), choices=choices)
    for name, logits in exact(random_images(1, 64, 64), choices=choices)._asdict().items():
        error = np.abs(getattr(rounded, name) - logits).max()
        assert error < 0.1 * np.abs(logits).max(), name


def test_the_smallest_image_has_a_single_pixel_at_the_coarsest_scale(supernet):
    """Zoomed operations halve a pixel to itself there: see the layer's test."""
    predictions = supernet(random_images(1, 32, 64), choices=any_path(STUDENT, 8 / 12))
    assert {tuple(each.shape[1:3]) for each in predictions} == {(4, 8)}
    assert all(np.isfinite(each).all() for each in predictions)


@pytest.mark.parametrize(
    ("size", "message"),
    [((48, 64), "multiple of 32"), ((64, 40), "multiple of 32")],
)
def test_sizes_that_do_not_reach_the_coarsest_scale(supernet, size, message):
    with pytest.raises(ValueError, match=message):
        supernet(random_images(1, *size), choices=any_path(STUDENT, 8 / 12))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 3}, r"`num_layers` must be at least 4\. Received: num_layers=3"),
        ({"width_multipliers": (0.5, 0.75)}, r"last of `width_multipliers` must be 1.*0\.75"),
        (
            {"stem_head_widths": {TEACHER: 1.0, STUDENT: 0.7}},
            r"width of the student must be one of the width multipliers.*Received: 0\.7",
        ),
        ({"blend": "sum"}, r"`blend` must be \"inputs\" or \"outputs\"\. Received: blend='sum'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Supernet(3, **{"num_layers": 4, **arguments})
