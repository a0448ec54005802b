"""Training of a network of three cells on generated streets."""

import csv
import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf
from absl import logging

from keras_fasterseg.data.class_order import in_class_order
from keras_fasterseg.data.image_files import read_sample
from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.files import read_json
from keras_fasterseg.jobs import train as pipeline
from keras_fasterseg.jobs.train import check_training, load_network, make_trainer, train
from keras_fasterseg.losses.distillation import distillation_loss
from keras_fasterseg.run.trained_networks import initialize_network
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.spaces.fasterseg.genotype import BranchGenotype
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from tests.conformance.toy_space import ToyGenotype, ToySpace
from tests.run.event_files import images
from tests.small_genotype import CELLS, GENOTYPE

SETTINGS = TrainSettings(
    epochs=2, steps_per_epoch=2, batch_size=1, crop_size=(64, 64), evaluate_every=1
)
EVERYTHING = dataclasses.replace(
    SETTINGS,
    epochs=5,
    dropout=0.1,
    steps_per_epoch=3,
    scales=(1.0,),
    shift=2,
    optimizer="adam",
    schedule="polynomial",
    warmup_epochs=0.5,
    class_weights="histogram",
    accumulation_steps=2,
    ema_momentum=0.6,
    patience=1,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    return generate(root, num_train=4, num_val=1, height=64, width=128, progress=False)


def run(folder, source, settings=SETTINGS, genotype=GENOTYPE, teacher=None, seed=0):
    return train(folder, source, DataSettings(), genotype, settings, teacher, seed)


def weights(path):
    return load_network(path).get_weights()


def epochs_logged(folder):
    with open(folder / "log.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def scripted(monkeypatch, *scores):
    """Evaluations find `scores`; an exception among them is raised. The networks they saw."""
    found, seen = iter(scores), []

    def evaluate(runner, *arguments, **options):
        seen.append([np.array(weight) for weight in runner._graph.model.weights])
        score = next(found)
        if isinstance(score, BaseException):
            raise score
        return types.SimpleNamespace(miou=score, to_json=lambda: {"miou": score})

    monkeypatch.setattr(pipeline, "evaluate", evaluate)
    return seen


@pytest.fixture(scope="module")
def trained(tmp_path_factory, source):
    folder = tmp_path_factory.mktemp("trained")
    return run(folder, source)


def test_writes_a_float32_network_with_its_scores(trained, source):
    network = load_network(trained)
    assert (network.genotype, network.num_classes) == (GENOTYPE, source.num_classes)
    assert network.auxiliary_heads
    best = read_json(trained.parent / "evaluation.json")["miou"]
    logged = [float(row["val_miou"]) for row in epochs_logged(trained.parent)]
    assert best == pytest.approx(max(logged))
    shown = images(trained.parent / "tensorboard" / "pictures")
    assert set(shown) == {("predictions", 0), ("predictions", 1)}


def test_every_option_at_once_goes_on_after_a_failed_evaluation(tmp_path, source, monkeypatch):
    """Bit by bit: an evaluation leaves no average in the network that is trained."""
    scripted(monkeypatch, 0.1, 0.2, 0.15)
    undisturbed = run(tmp_path / "undisturbed", source, EVERYTHING)
    folder = tmp_path / "disturbed"
    scripted(monkeypatch, 0.1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(folder, source, EVERYTHING)
    scripted(monkeypatch, 0.2, 0.15)
    disturbed = run(folder, source, EVERYTHING)
    for one, other in zip(weights(undisturbed), weights(disturbed), strict=True):
        np.testing.assert_array_equal(one, other)
    losses = [
        [row["loss"] for row in epochs_logged(path.parent)] for path in (undisturbed, disturbed)
    ]
    assert losses[0] == losses[1]
    # Its patience ended both after the third of five epochs.
    assert len(losses[0]) == 3


def test_averages_are_evaluated_and_saved_and_others_trained(
    tmp_path, source, trained, monkeypatch
):
    settings = dataclasses.replace(SETTINGS, ema_momentum=0.9)
    seen = scripted(monkeypatch, 0.1, 0.3)
    path = run(tmp_path, source, settings)
    # That they are the averages, and not the weights, is for the tests of EvaluatedNetwork.
    deployed = load_network(path).without_auxiliary_heads()
    for weight, value in zip(deployed.weights, seen[1], strict=True):
        np.testing.assert_array_equal(weight, value)
    logs = [epochs_logged(folder) for folder in (tmp_path, trained.parent)]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]


@pytest.mark.parametrize(
    "precision", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)]
)
def test_half_precision_trains_near_float32_and_saves_float32(tmp_path, source, trained, precision):
    settings = dataclasses.replace(SETTINGS, epochs=1, precision=precision)
    path = run(tmp_path, source, settings)
    assert load_network(path).get_layer("stem").compute_dtype == "float32"
    exact, half = (float(epochs_logged(folder)[0]["loss"]) for folder in (trained.parent, tmp_path))
    assert half == pytest.approx(exact, rel=0.05)
    assert half != exact


def test_begins_with_another_network_and_learns_from_a_teacher(
    tmp_path, source, trained, caplog, monkeypatch
):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    caplog.set_level("INFO", logger="absl")
    # At such a rate the weights stay as they began; the statistics move.
    settings = dataclasses.replace(
        SETTINGS, epochs=1, learning_rate=1e-30, initial_weights=str(trained)
    )
    network = load_network(run(tmp_path, source, settings, teacher=trained, seed=7))
    assert float(epochs_logged(tmp_path)[0]["distillation_loss"]) > 0
    begun = {weight.path: np.array(weight) for weight in network.trainable_variables}
    for weight in load_network(trained).trainable_variables:
        np.testing.assert_array_equal(begun[weight.path], weight)
    assert f"layers start with the weights of {trained}." in caplog.text


def test_the_network_keeps_the_normalisation_it_was_trained_with(
    tmp_path, source, trained, monkeypatch
):
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    monkeypatch.setattr(source, "mean", mean)
    monkeypatch.setattr(source, "std", std)
    with pytest.raises(
        ValueError, match=r"normalised with mean=\(0\.485.*uses mean=\(0\.1, 0\.2, 0\.3"
    ):
        run(tmp_path, source, teacher=trained)
    path = run(tmp_path, source, dataclasses.replace(SETTINGS, epochs=1))
    network = load_network(path)
    assert (network.mean, network.std) == (mean, std)
    # What the training's own evaluation found, by numpy around the saved network.
    (sample,) = source.samples("val")
    image, labels = read_sample(sample, source)
    logits = network.without_auxiliary_heads()(((image / 255 - mean) / std)[None])
    accuracy = np.mean((np.argmax(logits[0], axis=-1) == labels)[labels != 255])
    scores = read_json(path.parent / "evaluation.json")
    assert scores["pixel_accuracy"] == pytest.approx(accuracy, abs=1e-3)


def test_another_genotype_cannot_begin_with_it(tmp_path, source, trained):
    cells = (dataclasses.replace(CELLS[0], primitive="conv_2x"), *CELLS[1:])
    other = dataclasses.replace(GENOTYPE, branches=(BranchGenotype(16, cells),))
    settings = dataclasses.replace(SETTINGS, initial_weights=str(trained))
    with pytest.raises(ValueError, match=f"{GENOTYPE.id}, but genotype {other.id}"):
        run(tmp_path, source, settings, genotype=other)


def test_a_teacher_must_know_the_classes(tmp_path, source):
    other = FasterSegNetwork(GENOTYPE, 3, auxiliary_heads=True)
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="has 3 classes, but the data set synthetic has 19"):
        run(tmp_path, source, teacher=tmp_path / "other.keras")


def test_a_teacher_must_have_the_classes_in_the_same_order(tmp_path, source, trained):
    names = load_network(trained).classes.names
    assert names == source.class_names
    order = ",".join((*names[1:], names[0]))
    with pytest.raises(ValueError, match=r"another order.*--class_order='road,sidewalk,"):
        run(tmp_path, in_class_order(source, order), teacher=trained)


@pytest.mark.parametrize("new_heads", [False, True])
def test_heads_of_as_many_but_other_classes_begin_anew_or_not_at_all(
    tmp_path, source, trained, new_heads
):
    order = ",".join(f"other {name}={name}" for name in source.class_names)
    network = FasterSegNetwork(
        GENOTYPE,
        source.num_classes,
        auxiliary_heads=True,
        classes=in_class_order(source, order).classes,
    )
    before = {weight.path: np.array(weight) for weight in network.weights}
    if not new_heads:
        with pytest.raises(ValueError, match=r"classes road, .* other road, .*_new_heads"):
            initialize_network(network, trained)
        for weight in network.weights:
            np.testing.assert_array_equal(weight, before[weight.path])
        return
    transfer = initialize_network(network, trained, new_heads=True)
    assert set(transfer.anew) == {"head/classifier", "auxiliary_head_16/classifier"}
    source_weights = {weight.path: weight for weight in load_network(trained).weights}
    for weight in network.weights:
        kept = "classifier" in weight.path
        expected = before[weight.path] if kept else source_weights[weight.path]
        np.testing.assert_array_equal(weight, expected)


def test_more_epochs_end_where_as_many_at_once_do(tmp_path, source, trained):
    first = dataclasses.replace(SETTINGS, epochs=1)
    run(tmp_path / "prolonged", source, first)
    prolonged = run(tmp_path / "prolonged", source, SETTINGS)
    logs = [epochs_logged(path.parent) for path in (prolonged, trained)]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]
    assert len(logs[0]) == 2


@pytest.mark.parametrize("threshold", [0.7, 1.0])
def test_pixels_up_to_the_threshold_count(threshold):
    network = ToySpace().build(ToyGenotype("toy", ("plain",)), 2, auxiliary_heads=True)
    settings = dataclasses.replace(SETTINGS, ohem_threshold=threshold)
    trainer = make_trainer(network, None, settings, 1, class_weights=(1.0, 3.0))
    # Of the true class. Two pixels are hard, which is 1/16, the least number that counts.
    probability = np.full((1, 4, 8), 0.9)
    probability[0, 0, :2] = 0.6, 0.65
    labels = np.arange(32).reshape(1, 4, 8) % 2
    own = np.log(probability / (1 - probability))
    logits = tf.constant(np.where(labels[..., None] == [0, 1], own[..., None], 0.0), tf.float32)
    weights = np.where(labels == 0, 1.0, 3.0) * (probability <= threshold)
    expected = np.sum(weights * -np.log(probability)) / np.sum(weights)
    found = trainer.loss_of(tf.constant(labels), {"prediction": logits}, None)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["pixel", "channel"])
def test_the_settings_of_distillation_reach_the_loss(kind):
    network = ToySpace().build(ToyGenotype("toy", ("plain",)), 2, auxiliary_heads=True)
    settings = dataclasses.replace(
        SETTINGS,
        distillation=kind,
        distillation_temperature=4.0,
        distillation_reduction="pixel_mean",
        distillation_weight=3.0,
    )
    trainer = make_trainer(network, network.without_auxiliary_heads(), settings, 1)
    generator = np.random.default_rng(0)
    logits, teacher = generator.normal(0, 3, (2, 1, 4, 8, 2)).astype("float32")
    labels, predictions = tf.zeros((1, 4, 8), tf.int32), {"prediction": tf.constant(logits)}
    alone = trainer.loss_of(labels, predictions, None)
    distilled = trainer.loss_of(labels, predictions, tf.constant(teacher))
    expected = distillation_loss(
        logits, teacher, kind=kind, temperature=4.0, reduction="pixel_mean"
    )
    assert float(distilled - alone) == pytest.approx(3 * float(expected), rel=1e-5)


def test_boundaries_and_stride_reach_the_loss():
    network = ToySpace().build(ToyGenotype("toy", ("plain",)), 2, auxiliary_heads=True)
    settings = dataclasses.replace(SETTINGS, boundary_weight=0.5, loss_stride=2)
    trainer = make_trainer(network, None, settings, 1)
    assert (trainer.boundary_weight, trainer.loss_stride) == (0.5, 2)


def test_dropout_reaches_the_trained_network(tmp_path, source):
    path = run(tmp_path, source, dataclasses.replace(SETTINGS, epochs=1, dropout=0.25))
    assert load_network(path).dropout == 0.25


def test_wrong_weights_are_said_before_training(tmp_path, source):
    settings = dataclasses.replace(SETTINGS, class_weights="1,2")
    with pytest.raises(ValueError, match="each of the 19 classes"):
        run(tmp_path, source, settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs=0"),
        ({"crop_size": (60, 64)}, ValueError, "a multiple of 32"),
        ({"schedule": "step"}, ValueError, "schedule=step"),
        ({"class_weights": "some"}, ValueError, "Received: 'some'"),
        ({"patience": 0}, ValueError, "patience=0"),
        ({"initial_weights": "gone.keras"}, FileNotFoundError, "The initial network gone.keras"),
    ],
)
def test_says_which_setting_is_wrong(options, error, message):
    with pytest.raises(error, match=message):
        check_training(dataclasses.replace(SETTINGS, **options))


def test_the_defaults_can_begin():
    check_training(TrainSettings())
