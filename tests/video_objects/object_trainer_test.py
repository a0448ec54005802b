"""Training of the network of video object segmentation on generated frames."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.video_objects.generated_sequences import GeneratedSequences, generate
from keras_fasterseg.video_objects.network import EMBEDDING, ObjectNetwork
from keras_fasterseg.video_objects.object_trainer import LOSSES, ObjectTrainer
from keras_fasterseg.video_objects.training_batches import FrameBatches, training_frames
from tests.video_objects.genotypes import SMALL

SIZE = (64, 64)
WEIGHTS = {name: 0.5 + number for number, name in enumerate(LOSSES)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Batches of a tiny data set, and the number of its objects."""
    settings = GeneratedSequences(num_train=2, num_val=1, frames=3, size=SIZE)
    davis = generate(tmp_path_factory.mktemp("data") / "videos", settings, progress=False)
    frames, count = training_frames(davis, davis.sequences("train"))
    batches = FrameBatches(
        davis, frames, 2, SIZE, 3, (0.8, 1.2), 0.2, 0, IMAGENET_MEAN, IMAGENET_STD
    )
    return batches, count


def make_trainer(count: int, seed: int) -> ObjectTrainer:
    keras.utils.set_random_seed(seed)
    return ObjectTrainer(ObjectNetwork(SMALL, SIZE, max_objects=3), count, WEIGHTS)


@pytest.fixture(scope="module")
def fresh(data) -> ObjectTrainer:
    """A trainer that is not trained."""
    return make_trainer(data[1], seed=1)


@pytest.fixture(scope="module")
def trained(data):
    """A trainer after two steps, its weights before, and its history."""
    batches, count = data
    trainer = make_trainer(count, seed=0)
    before = values_of(trainer)
    trainer.compile(optimizer=keras.optimizers.SGD(1e-3))
    history = trainer.fit(batches.from_batch(0), steps_per_epoch=2, shuffle=False, verbose=0)
    return trainer, before, history.history


def values_of(trainer: ObjectTrainer) -> dict[str, np.ndarray]:
    values = {weight.path: ops.convert_to_numpy(weight) for weight in trainer.network.weights}
    return {**values, "identities": ops.convert_to_numpy(trainer.identities)}


def test_loss_is_the_weighted_sum(data, fresh):
    trainer, (inputs, targets) = fresh, data[0][0]
    outputs = trainer(inputs, training=False)
    losses = {name: float(each) for name, each in trainer.losses_of(targets, outputs).items()}
    assert tuple(losses) == LOSSES
    assert all(np.isfinite(each) and each > 0 for each in losses.values())
    total = float(trainer.compute_loss(inputs, targets, outputs))
    expected = sum(WEIGHTS[name] * each for name, each in losses.items())
    assert total == pytest.approx(expected, rel=1e-5)
    for name, tracker in trainer.trackers.items():
        assert float(tracker.result()) == pytest.approx(losses[name], rel=1e-5)


def test_identity_loss_uses_cosines(data, fresh):
    trainer, (inputs, targets) = fresh, data[0][0]
    outputs = trainer(inputs, training=False)
    before = float(trainer.losses_of(targets, outputs)["identities"])
    identities, present = targets["identities"], targets["present"]
    directions = ops.convert_to_numpy(trainer.identities)
    directions = directions / np.linalg.norm(directions, axis=0)
    logits = 16 * ops.convert_to_numpy(outputs["embeddings"]) @ directions
    chosen = np.take_along_axis(logits, identities[..., None], axis=-1)[..., 0]
    losses = np.log(np.exp(logits).sum(axis=-1)) - chosen
    assert before == pytest.approx((losses * present).sum() / present.sum(), rel=1e-4)
    # The length of an identity's vector does not matter.
    trainer.identities.assign(5 * trainer.identities)
    after = float(trainer.losses_of(targets, outputs)["identities"])
    assert after == pytest.approx(before, rel=1e-4)


def test_metrics(trained):
    trainer, _, history = trained
    names = {"loss", *(f"{name}_loss" for name in LOSSES)}
    assert set(history) == names
    assert {metric.name for metric in trainer.metrics} == names
    expected = sum(WEIGHTS[name] * history[f"{name}_loss"][0] for name in LOSSES)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_training_changes_all_kinds_of_weights(trained):
    trainer, before, _ = trained
    after = values_of(trainer)
    assert all(np.isfinite(each).all() for each in after.values())
    changed = {name for name, value in after.items() if not np.array_equal(value, before[name])}
    assert "identities" in changed
    for part in ("stem/", "mask_head/", "centers/kernel", "sizes/", "foreground/", "boundaries/"):
        assert any(part in name for name in changed), part
    for part in ("attention_4/", "embedding_map/", "moving_mean", "moving_variance"):
        assert any(part in name for name in changed), part


def test_identities_are_trained_with_the_network(data, fresh):
    trainer = fresh
    assert trainer.identities.shape == (EMBEDDING, data[1])
    paths = {id(weight) for weight in trainer.trainable_variables}
    assert id(trainer.identities) in paths
    assert {id(weight) for weight in trainer.network.trainable_weights} <= paths
    assert len(paths) == len(trainer.network.trainable_weights) + 1


def test_a_weights_file_restores_identities_and_network(trained, fresh, tmp_path):
    trainer, _, _ = trained
    trainer.save_weights(tmp_path / "trainer.weights.h5")
    expected = values_of(trainer)
    assert not np.array_equal(values_of(fresh)["identities"], expected["identities"])
    fresh.load_weights(tmp_path / "trainer.weights.h5")
    for name, value in values_of(fresh).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
