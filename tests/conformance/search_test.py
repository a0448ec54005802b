"""Contract of every registered search space with searching; on TensorFlow and JAX."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.search.ranking import Ranker
from keras_fasterseg.spaces.roles import STUDENT
from tests.conformance.architectures import (
    architecture_variables,
    draw_architectures,
    gradients,
)
from tests.conformance.spaces import (
    CLASSES,
    SIZE,
    count,
    genotypes,
    rows_of_network,
    samples_networks,
)

# Of central differences. Rounding of float32 limits smaller steps, curvature larger ones: at four
# times as much, the differences of one space are off by a third.
STEP = 0.0125


def test_gradients_reach_everything(space, model, table):
    penalty = space.penalty(table, CLASSES, 1.0)
    architecture = architecture_variables(model)
    weights = model.supernet.trainable_variables
    images, labels = labelled_images()

    def loss(total):
        choices, own = model.search_choices(ops.convert_to_tensor(1.0))
        loss = model.loss(images, labels, choices)
        if samples_networks(space):
            # A sample reaches one network; the probabilities reach all.
            loss = loss + model.loss(images, labels, model.evaluation_choices(STUDENT))
        return loss + penalty(own) + model.regularization() if total else loss

    for variables, total in ((architecture, True), (weights, False)):
        found = gradients(functools.partial(loss, total), variables)
        for variable, gradient in zip(variables, found, strict=True):
            assert np.isfinite(gradient).all(), variable.path
            assert np.any(gradient != 0), variable.path


def test_the_gradient_of_the_penalty_equals_central_differences(space, model, table):
    """Along the gradient and along a random direction, of every variable of the student."""
    penalty, generator = space.penalty(table, CLASSES, 1.0), np.random.default_rng(1)
    variables = model.architectures[STUDENT].trainable_variables

    def value():
        return penalty(model.evaluation_choices(STUDENT))

    found = gradients(value, variables)
    size = float(value())
    assert any(np.abs(gradient).max() > 1e-4 * size for gradient in found)
    for variable, gradient in zip(variables, found, strict=True):
        before = np.array(variable)
        for direction in (gradient, generator.normal(size=gradient.shape)):
            unit = direction / max(np.linalg.norm(direction), 1e-12)
            values = []
            for step in (-2, -1, 1, 2):
                variable.assign(before + STEP * step * unit)
                values.append(float(value()))
            variable.assign(before)
            # Of fourth order.
            numeric = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * STEP)
            expected = float(np.sum(gradient * unit))
            assert numeric == pytest.approx(expected, rel=0.01, abs=2e-5 * size), variable.path


@pytest.mark.parametrize("seed", [1, 2])
def test_the_penalty_of_one_hot_choices_prices_the_rows_that_are_run(space, model, table, seed):
    """No row makes a network faster; where one network is derived, each counts as it is run.

    Whatever function of the latency the penalty is, its derivatives by the rows are to each other
    as the numbers of times that the network runs them, by their weights. A penalty that stands for
    several candidates weighs them by rules of its own, which the tests of its space know.
    """
    draw_architectures(model, seed)
    choices = model.discretized(model.evaluation_choices(STUDENT))
    found = model.candidates(STUDENT)
    plain = float(space.penalty(table, CLASSES, 0.1)(choices))
    slopes = {}
    for key in space.required_keys(SIZE, CLASSES):
        row = table[key]
        longer = dataclasses.replace(row, latency_ms=row.latency_ms + 0.05, p90_ms=10.0)
        changed = LatencyTable({**table, key: longer}, table.metadata)
        slopes[key] = (float(space.penalty(changed, CLASSES, 0.1)(choices)) - plain) / 0.05
    assert min(slopes.values()) > -1e-3
    assert max(slopes.values()) > 0
    if len(found) > 1:
        return
    runs = rows_of_network(*found.values())
    priced = {key for key, slope in slopes.items() if slope > 1e-3}
    always = functools.reduce(
        set.intersection, (set(rows_of_network(each)) for each in genotypes(space, 20))
    )
    # What every network runs may be left out, since no choice changes it.
    assert set(runs) - always <= priced <= set(runs)
    ratios = [slopes[key] / runs[key] for key in priced]
    np.testing.assert_allclose(ratios, ratios[0], rtol=0.02)


def labelled_images():
    # At 1/64 there must be a few pixels left: normalised, one or two are constants.
    images = keras.random.normal((1, 128, 128, 3), seed=1)
    return images, keras.random.randint((1, 128, 128), 0, CLASSES, seed=1)


def test_the_losses_of_passes_add_up_and_leave_the_same_statistics(model):
    choices, _ = model.search_choices(ops.convert_to_tensor(1.0))
    statistics = [each for each in model.supernet.variables if not each.trainable]
    before = [ops.convert_to_numpy(each).copy() for each in statistics]
    found = []
    for parts in ([choices], model.passes(choices)):
        for variable, value in zip(statistics, before, strict=True):
            variable.assign(value)
        total = sum(float(model.loss(*labelled_images(), each)) for each in parts)
        found.append((total, [ops.convert_to_numpy(each).copy() for each in statistics]))
    (loss, values), (sum_of_losses, other_values) = found
    assert sum_of_losses == pytest.approx(loss, rel=1e-5)
    assert any(np.any(one != other) for one, other in zip(values, before, strict=True))
    for variable, one, other in zip(statistics, values, other_values, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5, err_msg=variable.path)


def test_a_supernet_in_half_precision_computes_nearly_the_same(space, model):
    half = space.search_model(CLASSES, 0, "mixed_bfloat16")
    for one, other in zip(half.supernet.variables, model.supernet.variables, strict=True):
        one.assign(other)
    assert {each.dtype for each in architecture_variables(half)} == {"float32"}
    assert {each.dtype for each in half.supernet.trainable_variables} == {"float32"}
    choices = model.evaluation_choices(STUDENT)
    images, _ = labelled_images()
    expected, found = (each.predictions(images, choices) for each in (model, half))
    assert set(found) == set(expected)
    for name, logits in expected.items():
        logits, other = (np.asarray(ops.cast(each, "float32")) for each in (logits, found[name]))
        # bfloat16 has 8 bits; a dozen layers add up to a few percent.
        assert 0 < np.abs(other - logits).max() < 0.1 * np.abs(logits).max()


@pytest.mark.parametrize("target", [0.0, -1.0])
def test_the_target_must_be_positive(space, table, target):
    with pytest.raises(ValueError, match=f"target_ms={target}"):
        space.penalty(table, CLASSES, target)


def test_candidates_are_pure(space, model):
    variables = [
        *model.supernet.variables,
        *(each for layer in model.architectures.values() for each in layer.variables),
    ]
    before = [np.array(each) for each in variables]
    for role in space.roles:
        first, second = model.candidates(role), model.candidates(role)
        assert first == second
        assert all(isinstance(each, space.genotype) for each in first.values())
        entropies = model.entropies(role)
        assert set(entropies) <= set(space.families)
        assert all(0 <= value <= 1 for value in entropies.values())
        for genotype in first.values():
            space.build(genotype, CLASSES)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_weights_of_the_supernet_are_those_of_the_built_one(space, model):
    work = space.supernet_work(SIZE, CLASSES)
    assert work.trainable == count(model.supernet.trainable_weights)
    assert work.statistics == count(model.supernet.non_trainable_weights)
    assert work.macs > 0


def test_genes_are_networks_of_the_space(space):
    options, generator = space.genes(), np.random.default_rng(0)
    required = set(space.required_keys(SIZE, CLASSES))
    found = set()
    for _ in range(10):
        genes = space.random_genes(generator)
        assert {family: len(each) for family, each in genes.items()} == {
            family: len(counts) for family, counts in options.items()
        }
        for family, counts in options.items():
            assert all(0 <= one < most for one, most in zip(genes[family], counts, strict=True))
        genotype = space.from_genes(genes)
        assert space.from_genes(genes) == genotype
        assert set(rows_of_network(genotype)) <= required
        found.add(genotype.id)
    assert len(found) > 1


def test_every_option_of_a_gene_is_a_network(space):
    for last in (0, 1):
        genes = {
            family: [(count - 1) * last for count in counts]
            for family, counts in space.genes().items()
        }
        space.build(space.from_genes(genes), CLASSES)


def test_networks_are_scored_with_the_weights_of_the_supernet(space, model):
    """The score is one of a network that computes, and the supernet stays as it is."""
    images, labels = (ops.convert_to_numpy(each) for each in labelled_images())
    before = [ops.convert_to_numpy(each).copy() for each in model.supernet.variables]
    ranker = Ranker(model, [(images, labels)], [(images, labels)])
    for genotype in model.candidates(STUDENT).values():
        assert 0 <= ranker(STUDENT, genotype) <= 1
        with ranker.network(STUDENT, genotype) as network:
            logits = ops.convert_to_numpy(network(images, training=False))
        assert logits.shape[-1] == CLASSES
        assert np.isfinite(logits).all()
        assert logits.std() > 0
    for variable, value in zip(model.supernet.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), value)
