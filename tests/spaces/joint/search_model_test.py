"""Loss, choices, derivation and regularization of the joint search."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.losses.solution_space_regularization import SolutionSpaceRegularizer
from keras_fasterseg.spaces.joint.architecture import (
    NAMES,
    choices_left,
    is_decided,
    log10_networks,
)
from keras_fasterseg.spaces.joint.choices import FAMILIES
from keras_fasterseg.spaces.joint.genotype import JointBlock
from keras_fasterseg.spaces.joint.search_model import JointSearch, choices_of, derive
from keras_fasterseg.spaces.joint.space import JointSpace
from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from tests.spaces.joint.tiny import SETTINGS

CLASSES = 3


def make_model(**changes):
    return JointSearch(dataclasses.replace(SETTINGS, **changes), CLASSES, seed=0)


def set_logits(model, seed=0, scale=1.0, shift=0.0):
    generator = np.random.default_rng(seed)
    for logits in model.architecture.logits.values():
        logits.assign(shift + scale * generator.normal(size=logits.shape))


def decide(model):
    """Shrinks from logits so far below zero that their sigmoids differ by large factors."""
    set_logits(model, scale=5.0, shift=-20.0)
    for _ in range(3):
        model.architecture.shrink()


def batch():
    images = tf.random.stateless_normal((1, 64, 64, 3), (0, 0))
    labels = np.random.default_rng(0).integers(0, CLASSES, (1, 64, 64))
    return images, tf.constant(labels)


def gradients(model, choices, variables):
    with tf.GradientTape() as tape:
        loss = model.loss(*batch(), choices(model))
    return [np.asarray(each) for each in tape.gradient(loss, [v.value for v in variables])]


def test_the_factor_of_the_loss_acts_on_the_architecture_only():
    """Two models with equal weights and without dropout; one loss has the factor 100."""
    results = []
    for factor in (1.0, 100.0):
        keras.utils.set_random_seed(0)
        model = make_model(cross_entropy_weight=factor, early_dropout=0.0, late_dropout=0.0)
        set_logits(model)
        variables = [*model.architecture.trainable_variables, model.supernet.blocks[0].kernels[0]]

        def choices(model):
            return model.search_choices(tf.constant(1.0))[0]

        results.append(gradients(model, choices, variables))
    (*plain, weights), (*scaled, same) = results
    np.testing.assert_array_equal(same, weights)
    for one, other in zip(plain, scaled, strict=True):
        size = np.abs(one).max()
        assert size > 0
        # Rounded after sums over some pixels: 5e-7 of the largest is seen.
        np.testing.assert_allclose(other, 100 * one, atol=2e-6 * 100 * size)


def test_the_choices_of_the_loss_are_those_of_the_penalty():
    model = make_model()
    set_logits(model)
    for one, other in zip(
        *map(tf.nest.flatten, model.search_choices(tf.constant(1.0))), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_the_regularization_adds_up_over_the_families():
    model = make_model()
    set_logits(model)
    choices = model.architecture.probabilities()
    plain = SolutionSpaceRegularizer()
    depth = np.mean([float(plain(groups)) for groups in choices["depth"]])
    expected = 30 * (depth + float(plain(choices["operation"]))) + 15 * (
        float(plain(choices["middle"])) + float(plain(choices["last"]))
    )
    assert float(model.regularization()) == pytest.approx(expected, rel=1e-5)
    weights = ("operation_regularization", "width_regularization", "depth_regularization")
    model = make_model(**dict.fromkeys(weights, 0.0))
    set_logits(model)
    assert float(model.regularization()) == 0


def test_the_derived_network_has_the_likeliest_choices():
    model = make_model()
    logits = model.architecture.logits
    logits["early_depth"].assign([0.0, 1.0])
    logits["late_depth"].assign([1.0, 0.0])
    # Dilations 1 and 2 at full size, then the same pooled.
    logits["operation"].assign([[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]])
    middle, last = np.zeros((4, 4, 2)), np.zeros((4, 4, 2))
    middle[1, 3, 1] = last[2, 1, 1] = 1
    # A width of an operation that is not chosen.
    last[0, 2, 1] = 1
    logits["middle"].assign(middle)
    logits["last"].assign(last)
    genotype = model.candidates(STUDENT)["prediction"]
    assert genotype.early == (JointBlock(1, False, 8, 8), JointBlock(2, True, 4, 8))
    assert genotype.late == (JointBlock(2, False, 16, 12),)


def test_the_teacher_is_the_largest_network_and_has_no_parameters():
    model = make_model()
    assert not model.architectures[TEACHER].variables
    assert model.entropies(TEACHER) == {}
    (genotype,) = model.candidates(TEACHER).values()
    assert genotype == JointSpace(SETTINGS).largest_genotype(TEACHER)
    assert [len(genotype.early), len(genotype.late)] == [2, 2]
    assert {block.filters for block in genotype.late} == {16}
    assert [block.dilation for block in genotype.late] == [1, 2]


def test_entropies_fall_as_choices_are_removed():
    model = make_model(shrinking_ratio=0.9)
    assert model.entropies(STUDENT) == pytest.approx(dict.fromkeys(FAMILIES, 1.0), abs=1e-4)
    decide(model)
    assert is_decided(model.architecture.masks())
    assert model.entropies(STUDENT) == pytest.approx(dict.fromkeys(FAMILIES, 0.0), abs=1e-4)


def test_a_single_width_has_no_entropy():
    entropies = make_model(filter_choices=1).entropies(STUDENT)
    assert set(entropies) == {"depth", "operation"}


def test_decided_groups_have_no_gradient():
    model = make_model(shrinking_ratio=0.9)
    decide(model)
    variables = [model.architecture.logits[name] for name in NAMES]
    for gradient in gradients(model, lambda m: m.search_choices(tf.constant(1.0))[0], variables):
        np.testing.assert_allclose(gradient, 0, atol=1e-6)


def test_shrinking_logs_what_is_left():
    model = make_model(shrinking_ratio=0.9)
    set_logits(model)
    (callback,) = model.callbacks()
    logs, before = {}, log10_networks(model.architecture.masks())
    callback.on_epoch_end(0, logs)
    masks = model.architecture.masks()
    assert logs.pop("log10_networks_left") == log10_networks(masks) < before
    assert logs == {f"choices_left_{name}": left for name, left in choices_left(masks).items()}


@pytest.mark.parametrize("weights", [None, (1.0, 0.25, 0.0)])
def test_the_loss_is_the_weighted_cross_entropy_at_an_eighth(weights):
    keras.utils.set_random_seed(0)
    model = make_model(early_dropout=0.0, late_dropout=0.0)
    model.class_weights = weights
    choices = model.evaluation_choices(STUDENT)
    images, labels = batch()
    # Statistics of the batch: the logits do not depend on earlier passes.
    logits = np.array(model.supernet(images, choices, training=True), "float64")
    labels = np.array(labels)
    labels[0, 0, 0] = 255
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    small = labels[:, ::8, ::8]
    valid = small != 255
    chosen = np.take_along_axis(shares[valid], small[valid][:, None], axis=-1)[:, 0]
    of_pixels = np.asarray(weights or (1.0, 1.0, 1.0))[small[valid]]
    expected = -(of_pixels * np.log(chosen)).sum() / of_pixels.sum()
    found = float(model.loss(images, tf.constant(labels), choices))
    assert found == pytest.approx(expected, rel=1e-5)


def test_every_network_is_one_setting_of_the_supernet():
    space, generator = JointSpace(SETTINGS), np.random.default_rng(0)
    for _ in range(10):
        genotype = space.random_genotype(generator)
        assert derive(choices_of(genotype, SETTINGS), SETTINGS) == genotype


def test_an_inherited_network_computes_its_setting():
    model = make_model()
    set_logits(model)
    (genotype,) = model.candidates(STUDENT).values()
    images, _ = batch()
    network = model.inherited(STUDENT, genotype)
    expected = model.supernet(images, choices_of(genotype, SETTINGS), training=False)
    np.testing.assert_array_equal(network(images, training=False), expected)


def test_networks_outside_the_space_have_no_setting():
    space = JointSpace(SETTINGS)
    genotype = space.random_genotype(np.random.default_rng(0))
    block = dataclasses.replace(genotype.early[0], dilation=7)
    for changes, message in (
        ({"early": (block,)}, "no block such as JointBlock"),
        ({"early": genotype.early[:1] * (SETTINGS.early_blocks + 1)}, "blocks at this resolution"),
        ({"late_filters": SETTINGS.late_filters + 1}, "The supernet has the filters"),
    ):
        with pytest.raises(ValueError, match=message):
            choices_of(dataclasses.replace(genotype, **changes), SETTINGS)
