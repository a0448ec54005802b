"""Contract of every registered search space with measuring, searching, training and exporting."""

import collections
import dataclasses
import functools
import json
import types

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from keras_fasterseg.jobs.export import export_network
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import operation_of, rows_of
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.reports.describe import describe, description_tables
from keras_fasterseg.reports.draw_architecture import draw_architecture
from keras_fasterseg.run.latency_tables import check_rows, load_table
from keras_fasterseg.runtimes.artefact_format import find_artefact
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.runtimes.registry import own_runtime
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.settings.training import SearchSettings
from keras_fasterseg.spaces.cost import deployed_keys, network_work, predicted_latency_ms
from keras_fasterseg.spaces.registry import genotype_from_json, load_genotype
from keras_fasterseg.spaces.roles import STUDENT
from tests.conformance.spaces import NAMES, tiny_space
from tests.run.latency_rows import random_table
from tests.search.killed_search import assert_resumes
from tests.search.tiny_space import functions_run_eagerly
from tests.stand_in import assert_same_classes, random_images

SIZE, CLASSES = (64, 96), 3
SEARCH = SearchSettings(
    epochs=2,
    steps_per_epoch=1,
    batch_size=1,
    crop_size=(64, 64),
    downsample=1,
    validation_images=1,
    architecture_learning_rate=0.1,
)


@pytest.fixture(scope="module", params=NAMES)
def space(request):
    return tiny_space(request.param)


@pytest.fixture(scope="module")
def table(space):
    return random_table(space, SIZE, CLASSES)


@pytest.fixture(scope="module")
def model(space):
    """A supernet with random logits in its architectures."""
    keras.utils.set_random_seed(0)
    model = space.search_model(CLASSES, seed=0)
    draw_architectures(model, seed=0)
    return model


def draw_architectures(model, seed):
    generator = np.random.default_rng(seed)
    for variable in architecture_variables(model):
        variable.assign(generator.normal(size=variable.shape))


def architecture_variables(model):
    return [
        variable
        for architecture in model.architectures.values()
        for variable in architecture.trainable_variables
    ]


def genotypes(space, count=4):
    """Random genotypes, and the largest genotype of every role."""
    generator = np.random.default_rng(0)
    drawn = [space.random_genotype(generator) for _ in range(count)]
    return [*drawn, *(space.largest_genotype(role) for role in space.roles)]


def rows_of_network(genotype):
    """The rows that price a network, with the sum of their weights."""
    rows = collections.Counter()
    for key in deployed_keys(genotype, SIZE, CLASSES):
        rows.update(rows_of(key))
    return rows


def count(variables) -> int:
    return sum(int(np.prod(each.shape)) for each in variables)


# === Genotypes ===


def test_genotypes_survive_json(space, tmp_path):
    for genotype in genotypes(space):
        text = json.loads(json.dumps(genotype.to_json()))
        genotype.save(tmp_path / "genotype.json")
        assert isinstance(genotype, space.genotype)
        assert genotype.space == space.name
        for read in (
            space.genotype.from_json(text),
            genotype_from_json(text),
            space.genotype.load(tmp_path / "genotype.json"),
            load_genotype(tmp_path / "genotype.json"),
        ):
            assert read == genotype
            assert read.id == genotype.id == text["id"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 99}, "schema_version 99"),
        ({"colour": 1}, "'colour'"),
        ({"id": "0" * 12}, "does not match the content"),
    ],
)
def test_other_genotypes_are_refused(space, changes, message):
    with pytest.raises(ValueError, match=message):
        genotype_from_json({**genotypes(space)[0].to_json(), **changes})


# === Cost ===


def test_every_operation_of_a_network_has_a_row(space):
    required = set(space.required_keys(SIZE, CLASSES))
    for genotype in [*genotypes(space)[:4], space.largest_genotype()]:
        assert set(rows_of_network(genotype)) <= required
    for role in space.roles:
        rows = rows_of_network(space.largest_genotype(role))
        assert set(rows) <= set(space.required_keys(SIZE, CLASSES, role))


def test_rows_are_known_each_once_and_survive_their_text(space):
    for role in space.roles:
        keys = space.required_keys(SIZE, CLASSES, role)
        assert len(set(keys)) == len(keys) == len(set(map(str, keys)))
        for key in keys:
            operation_of(key)
            assert OpKey.parse(str(key)) == key
    assert set(space.required_keys(SIZE, CLASSES)) < set(space.measured_keys(SIZE, CLASSES))


def test_weights_of_a_network_are_those_of_the_built_one(space):
    for genotype in genotypes(space, 2):
        for heads in (True, False):
            network = space.build(genotype, CLASSES, auxiliary_heads=heads)
            work = network_work(genotype, SIZE, CLASSES, training=heads)
            assert work.trainable == count(network.trainable_weights)
            assert work.statistics == count(network.non_trainable_weights)


def test_weights_of_the_supernet_are_those_of_the_built_one(space, model):
    work = space.supernet_work(SIZE, CLASSES)
    assert work.trainable == count(model.supernet.trainable_weights)
    assert work.statistics == count(model.supernet.non_trainable_weights)
    assert work.macs > 0


def test_the_predicted_latency_is_the_sum_of_the_rows(space, table):
    (serving,) = (row.latency_ms for key, row in table.items() if key.operation == "serving")
    for genotype in genotypes(space)[:4]:
        rows = rows_of_network(genotype)
        expected = serving + sum(weight * table[key].latency_ms for key, weight in rows.items())
        assert predicted_latency_ms(genotype, table, CLASSES) == pytest.approx(expected)


def test_tables_that_do_not_hold_are_refused(space, table, tmp_path):
    path = tmp_path / "table.json"
    table.save(path)
    assert load_table(path, SIZE, space=space.name) == table
    check_rows(table, path, space, CLASSES)
    row = next(iter(table.values()))
    unknown = OpKey("unheard_of", 8, 8, 4, 4, 1)
    LatencyTable({**table, unknown: row}, table.metadata).save(path)
    with pytest.raises(ValueError, match=f"the operation of {unknown}"):
        load_table(path, space=space.name)
    lost = space.required_keys(SIZE, CLASSES)[-1]
    lacking = LatencyTable({k: v for k, v in table.items() if k != lost}, table.metadata)
    with pytest.raises(ValueError, match=f"lacks 1 of .* such as {lost}"):
        check_rows(lacking, path, space, CLASSES)


# === Networks and exports ===


@pytest.fixture(scope="module")
def exports(space, tmp_path_factory):
    """A network with its SavedModel and its ONNX file."""
    keras.utils.set_random_seed(0)
    network = space.build(genotypes(space)[0], CLASSES, auxiliary_heads=True)
    for weight in network.weights:
        if weight.path.endswith(("moving_mean", "beta")):
            weight.assign(0.1 * keras.random.normal(weight.shape))
    folder = tmp_path_factory.mktemp("exports")
    settings = {
        "saved_model": ExportSettings(),
        "onnx": ExportSettings("onnx", input_size=SIZE),
    }
    found = {
        name: find_artefact(export_network(network, folder / name, settings=each))
        for name, each in settings.items()
    }
    return types.SimpleNamespace(network=network, **found)


def test_exports_answer_as_the_network_does(exports):
    network, images = exports.network, random_images(2, *SIZE)
    deployed = network.without_auxiliary_heads()
    logits = KerasRunner(deployed, network.mean, network.std).logits(images)
    for artefact in (exports.saved_model, exports.onnx):
        runner = own_runtime(artefact.format).load(artefact.path, None)
        ids = np.concatenate([runner(image[None]) for image in images])
        assert_same_classes(ids, logits)
        assert artefact.metadata["genotype"] == network.genotype.to_json()


def test_multiply_accumulates_are_those_of_the_onnx_file(exports):
    graph = onnx.shape_inference.infer_shapes(onnx.load(exports.onnx.path)).graph
    kernels = {each.name: each.dims for each in graph.initializer}
    sizes = {
        each.name: [dimension.dim_value for dimension in each.type.tensor_type.shape.dim]
        for each in (*graph.value_info, *graph.output)
    }
    found = sum(
        np.prod(kernels[node.input[1]]) * np.prod(sizes[node.output[0]][-2:])
        for node in graph.node
        if node.op_type == "Conv"
    )
    assert network_work(exports.network.genotype, SIZE, CLASSES).macs == found


def test_auxiliary_heads_predict_at_full_size(exports):
    logits = exports.network(np.zeros((1, *SIZE, 3), "float32"))
    assert len(logits) > 1
    assert {each.shape for each in logits.values()} == {(1, *SIZE, CLASSES)}
    assert exports.network.prediction in logits


def test_networks_are_drawn_and_described(space, table):
    for genotype in genotypes(space)[:2]:
        figure = draw_architecture(genotype, SIZE, CLASSES, table)
        texts = {each.get_text() for axes in figure.axes for each in axes.texts}
        assert genotype.id in texts
        found = describe(genotype, SIZE, CLASSES, table)
        assert sum(row.get("latency_share", 0) for row in found["stages"]) == pytest.approx(1)
        assert genotype.id in description_tables(found)


# === The search ===


def test_gradients_reach_everything(space, model, table):
    penalty = space.penalty(table, CLASSES, 1.0)
    architecture = architecture_variables(model)
    weights = model.supernet.trainable_variables
    # At 1/64 there must be a few pixels left: normalised, one or two are constants.
    images = keras.random.normal((1, 128, 128, 3), seed=1)
    labels = keras.random.randint((1, 128, 128), 0, CLASSES, seed=1)
    with functions_run_eagerly(), tf.GradientTape(persistent=True) as tape:
        choices, own = model.search_choices(tf.constant(1.0))
        loss = model.loss(images, labels, choices)
        total = loss + penalty(own) + model.regularization()
    for variables, value in ((architecture, total), (weights, loss)):
        gradients = tape.gradient(value, [each.value for each in variables])
        for variable, gradient in zip(variables, gradients, strict=True):
            assert gradient is not None, variable.path
            gradient = np.asarray(tf.convert_to_tensor(gradient))
            assert np.isfinite(gradient).all(), variable.path
            assert np.any(gradient != 0), variable.path


def test_the_gradient_of_the_penalty_equals_central_differences(space, model, table):
    """Along the gradient and along a random direction, of every variable of the student."""
    penalty, generator = space.penalty(table, CLASSES, 1.0), np.random.default_rng(1)
    variables = model.architectures[STUDENT].trainable_variables

    def value():
        return penalty(model.evaluation_choices(STUDENT))

    with tf.GradientTape() as tape:
        result = value()
    gradients = tape.gradient(
        result,
        [variable.value for variable in variables],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    size = float(result)
    assert any(np.abs(gradient).max() > 1e-4 * size for gradient in gradients)
    for variable, gradient in zip(variables, map(np.array, gradients), strict=True):
        before = np.array(variable)
        for direction in (gradient, generator.normal(size=gradient.shape)):
            unit = direction / max(np.linalg.norm(direction), 1e-12)
            values = []
            for step in (-2, -1, 1, 2):
                variable.assign(before + 0.05 * step * unit)
                values.append(float(value()))
            variable.assign(before)
            # Of fourth order: float32 leaves no room for small steps.
            numeric = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * 0.05)
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


@pytest.mark.parametrize(
    "space",
    # Half a minute for a space that is built in.
    [pytest.param(name, marks=[pytest.mark.slow] * (name != "toy")) for name in NAMES],
    indirect=True,
)
def test_a_search_that_was_killed_resumes_bit_for_bit(space, tmp_path):
    _, genotypes = assert_resumes(tmp_path, space, SEARCH, killed_after=1)
    assert tuple(genotypes) == space.roles
