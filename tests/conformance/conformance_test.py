"""Contract of every registered search space with measuring and networks, on every backend."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import operation_of
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.head import Head
from keras_fasterseg.reports.describe import describe, description_tables
from keras_fasterseg.reports.draw_architecture import draw_architecture
from keras_fasterseg.run.latency_tables import check_rows, load_table
from keras_fasterseg.run.trained_networks import load_network
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.spaces.cost import network_work, predicted_latency_ms
from keras_fasterseg.spaces.registry import genotype_from_json, load_genotype
from tests.conformance.spaces import CLASSES, SIZE, count, genotypes, rows_of_network
from tests.stand_in import MEAN, STD, assert_same_classes, expected_logits, random_images

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


# === Networks ===


def test_auxiliary_heads_predict_at_full_size(space):
    network = space.build(genotypes(space)[0], CLASSES, auxiliary_heads=True)
    logits = network(np.zeros((1, *SIZE, 3), "float32"))
    assert len(logits) > 1
    assert {tuple(each.shape) for each in logits.values()} == {(1, *SIZE, CLASSES)}
    assert network.prediction in logits


def test_every_head_drops_features_in_training_only(space, tmp_path):
    network = space.build(space.largest_genotype(), CLASSES, auxiliary_heads=True, dropout=0.5)
    plain = space.build(space.largest_genotype(), CLASSES, auxiliary_heads=True)
    plain.set_weights(network.get_weights())
    network.save(tmp_path / "network.keras")
    images = np.random.default_rng(0).normal(size=(1, *SIZE, 3)).astype("float32")
    for other in (plain, load_network(tmp_path / "network.keras")):
        found, expected = other(images, training=False), network(images, training=False)
        for name in expected:
            np.testing.assert_array_equal(*map(ops.convert_to_numpy, (found[name], expected[name])))
    rates = [layer.dropout for layer in network.layers if isinstance(layer, Head)]
    assert rates == [0.5] * len(network.output)
    one, two = (network(images, training=True) for _ in range(2))
    for name in one:
        assert (ops.convert_to_numpy(one[name]) != ops.convert_to_numpy(two[name])).any()


def test_a_runner_answers_as_the_network_does(space):
    """Also for images that need padding, to which NumPy adds the mean colour."""
    keras.utils.set_random_seed(0)
    network = space.build(genotypes(space)[0], CLASSES, mean=MEAN, std=STD)
    # The tolerance is for logits of deviation 1.
    deviation = expected_logits(network, random_images(2, *SIZE)).std()
    for layer in network.layers:
        if isinstance(layer, Head):
            for weight in layer.classifier.weights:
                weight.assign(weight / deviation)
    runner = KerasRunner(network, network.mean, network.std)
    for size in (SIZE, (70, 90)):
        images = random_images(2, *size)
        expected = expected_logits(network, images)
        # float32 sums in another order.
        np.testing.assert_allclose(runner.logits(images), expected, rtol=1e-4, atol=1e-5)
        assert_same_classes(runner(images), expected)


def test_networks_are_drawn_and_described(space, table):
    for genotype in genotypes(space)[:2]:
        figure = draw_architecture(genotype, SIZE, CLASSES, table)
        texts = {each.get_text() for axes in figure.axes for each in axes.texts}
        assert genotype.id in texts
        found = describe(genotype, SIZE, CLASSES, table)
        assert sum(row.get("latency_share", 0) for row in found["stages"]) == pytest.approx(1)
        assert genotype.id in description_tables(found)
