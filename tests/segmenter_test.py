import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg import Segmenter
from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.losses import OhemCrossEntropy
from keras_fasterseg.metrics import MeanIoU
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from tests.shared import ROOT
from tests.stand_in import (
    MEAN,
    STD,
    assert_same_classes,
    expected_logits,
    random_images,
)

NAMES = ("road", "tree", "sky", "car")


def tiny_genotype() -> FasterSegGenotype:
    """Three cells that end at 1/16."""
    cells = (
        CellGenotype(0, 8, "conv", 1, 0.5),
        CellGenotype(1, 8, "conv", 2, 0.5),
        CellGenotype(2, 16, "conv", 1, 0.5),
    )
    return FasterSegGenotype("fasterseg", 2, 4, 0.5, 0.5, (BranchGenotype(16, cells),))


def tiny_segmenter(**arguments) -> Segmenter:
    keras.utils.set_random_seed(0)
    return Segmenter(tiny_genotype(), len(NAMES), **{"class_names": NAMES, **arguments})


def labelled_images(count: int, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and labels of which an eighth is void."""
    images = random_images(count, size, size)
    labels = images[..., 0] % len(NAMES)
    labels[:, :4] = 255
    return images, labels


# === Calling ===


@pytest.mark.parametrize("shape", [(2, 64, 96), (1, 45, 70), (1, 32, 33)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_logits_equal_numpy_around_the_network(shape, dtype):
    segmenter = tiny_segmenter()
    images = random_images(*shape).astype(dtype)
    logits = segmenter(images)
    assert logits.dtype == "float32"
    np.testing.assert_allclose(logits, expected_logits(segmenter.network, images), atol=1e-5)


def test_another_mean_and_std_replace_those_of_imagenet():
    images = random_images(1, 32, 32)
    ours = tiny_segmenter(mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    shifted = images * (np.array(STD) / (0.1, 0.2, 0.3))
    shifted += 255 * (np.array(MEAN) - np.array((0.5, 0.4, 0.3)) * STD / (0.1, 0.2, 0.3))
    expected = expected_logits(ours.network, shifted)
    np.testing.assert_allclose(ours(images), expected, atol=1e-4)


def test_segments_sizes_of_all_kinds_as_the_logits_say():
    segmenter = tiny_segmenter()
    for shape in [(5, 32, 32), (3, 45, 70), (1, 64, 33)]:
        images = random_images(*shape)
        logits = segmenter.predict(images, verbose=0)
        class_ids = segmenter.segment(images, batch_size=2)
        assert class_ids.dtype == np.uint8
        assert_same_classes(class_ids, expected_logits(segmenter.network, images))
        assert_same_classes(class_ids, logits)
    assert segmenter.segment(random_images(0, 32, 32)).shape == (0, 32, 32)


def test_segmenting_holds_the_logits_of_one_batch(monkeypatch):
    segmenter = tiny_segmenter()
    predict, batches = segmenter.predict_on_batch, []

    def recording(images):
        batches.append(len(images))
        return predict(images)

    monkeypatch.setattr(segmenter, "predict_on_batch", recording)
    segmenter.segment(random_images(5, 32, 32), batch_size=2)
    assert batches == [2, 2, 1]


def test_symbolic_calls_know_the_shape():
    output = tiny_segmenter()(keras.Input((None, 48, 3), dtype="uint8"))
    assert output.shape == (None, None, 48, len(NAMES))
    assert output.dtype == "float32"


def test_half_precision_stays_inside():
    segmenter = tiny_segmenter(dtype="mixed_float16")
    images = random_images(1, 32, 32)
    logits = segmenter(images)
    assert logits.dtype == "float32"
    assert segmenter.network.get_layer("fusion").compute_dtype == "float16"
    full = tiny_segmenter()
    full.set_weights(segmenter.get_weights())
    np.testing.assert_allclose(logits, full(images), atol=0.02 * float(np.abs(logits).max()))
    again = Segmenter.from_config(segmenter.get_config())
    assert again.network.get_layer("fusion").compute_dtype == "float16"


# === Training ===


def test_a_step_costs_ohem_and_moves_the_weights_against_its_gradient_void_left_out():
    segmenter = tiny_segmenter()
    images, labels = labelled_images(2)
    with tf.GradientTape() as tape:
        loss = OhemCrossEntropy()(labels, segmenter(images, training=True))
    gradients = tape.gradient(loss, [weight.value for weight in segmenter.trainable_variables])
    before = [weight.numpy() for weight in segmenter.trainable_variables]
    segmenter.compile()

    history = segmenter.fit(images, np.full_like(labels, 255), verbose=0).history
    assert history["loss"] == [0.0]
    for weight, value in zip(segmenter.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)

    history = segmenter.fit(images, labels, verbose=0).history
    assert set(history) == {"loss", "mean_iou"}
    np.testing.assert_allclose(history["loss"], [float(loss)], rtol=1e-4)
    changes = zip(segmenter.trainable_variables, before, gradients, strict=True)
    for weight, value, gradient in changes:
        np.testing.assert_allclose(weight.numpy(), value - 0.01 * gradient.numpy(), atol=1e-5)


@pytest.mark.filterwarnings("ignore:Your input ran out of data", "ignore:`shuffle=True`")
def test_arrays_data_sets_and_generators_train_alike():
    images, labels = labelled_images(2)
    feeds = {
        "arrays": {"x": images, "y": labels},
        "dataset": {"x": tf.data.Dataset.from_tensor_slices((images, labels)).batch(2)},
        "generator": {"x": (batch for batch in [(images, labels)])},
    }
    segmenter = tiny_segmenter()
    segmenter.compile(optimizer="sgd")  # without momentum, so that its past does not count
    start = segmenter.get_weights()
    weights = {}
    for name, feed in feeds.items():
        segmenter.set_weights(start)
        segmenter.fit(**feed, verbose=0)
        weights[name] = segmenter.get_weights()
    assert any(
        np.any(after != before) for after, before in zip(weights["arrays"], start, strict=True)
    )
    for name in ("dataset", "generator"):
        for weight, expected in zip(weights[name], weights["arrays"], strict=True):
            np.testing.assert_allclose(weight, expected, atol=1e-5)


def test_losses_and_metrics_of_the_user_are_taken():
    segmenter = tiny_segmenter()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    segmenter.compile(optimizer="sgd", loss=loss, metrics=["accuracy"])
    images, labels = labelled_images(2)
    logits = expected_logits(segmenter.network, images).astype(np.float64)
    valid = labels != 255
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    true = np.take_along_axis(log_probabilities, np.where(valid, labels, 0)[..., None], -1)[..., 0]
    scores = segmenter.evaluate(images, labels, verbose=0, return_dict=True)
    assert set(scores) == {"loss", "accuracy"}
    np.testing.assert_allclose(scores["loss"], -true[valid].mean(), rtol=1e-4)
    segmenter = tiny_segmenter()
    segmenter.compile(metrics=None)
    assert set(segmenter.evaluate(images, labels, verbose=0, return_dict=True)) == {"loss"}


def test_evaluation_equals_the_iou_of_what_it_segments():
    segmenter = tiny_segmenter()
    images, labels = labelled_images(3)
    class_ids, valid = segmenter.segment(images), labels != 255
    ious = []
    for index in range(len(NAMES)):
        true, predicted = (labels == index) & valid, (class_ids == index) & valid
        if (true | predicted).any():
            ious.append((true & predicted).sum() / (true | predicted).sum())
    segmenter.compile()
    scores = segmenter.evaluate(images, labels, batch_size=2, verbose=0, return_dict=True)
    np.testing.assert_allclose(scores["mean_iou"], np.mean(ious), rtol=1e-5)


def test_xla_is_used_on_request_only():
    segmenter = tiny_segmenter()
    assert segmenter.jit_compile is False
    segmenter.compile()
    assert segmenter.jit_compile is False
    segmenter.compile(jit_compile=True)
    assert segmenter.jit_compile is True


# === Files ===

_LOADING = """
import keras, keras_fasterseg
import sys
import numpy as np
segmenter = keras.models.load_model(sys.argv[1])
images = np.load(sys.argv[2])
np.savez(
    sys.argv[3],
    predicted=segmenter.predict(images, verbose=0),
    segmented=segmenter.segment(images),
    iterations=segmenter.optimizer.iterations,
    momentum=segmenter.optimizer.variables[-1],
    names=segmenter.class_names,
    loss=segmenter.loss.name,
)
"""


def test_a_fresh_process_loads_what_was_saved_bit_for_bit(tmp_path):
    segmenter = tiny_segmenter(mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    segmenter.compile(optimizer=keras.optimizers.SGD(0.003, momentum=0.9))
    images, labels = labelled_images(2)
    segmenter.fit(images, labels, verbose=0)
    segmenter.save(tmp_path / "segmenter.keras")
    np.save(tmp_path / "images.npy", images)
    arguments = [str(tmp_path / name) for name in ("segmenter.keras", "images.npy", "out.npz")]
    subprocess.run([sys.executable, "-c", _LOADING, *arguments], check=True, cwd=ROOT)
    with np.load(arguments[-1]) as loaded:
        np.testing.assert_array_equal(loaded["predicted"], segmenter.predict(images, verbose=0))
        np.testing.assert_array_equal(loaded["segmented"], segmenter.segment(images))
        np.testing.assert_array_equal(loaded["momentum"], segmenter.optimizer.variables[-1])
        assert loaded["iterations"] == 1
        assert tuple(loaded["names"]) == NAMES
        assert loaded["loss"] == "ohem_cross_entropy"


def test_the_config_is_whole():
    segmenter = tiny_segmenter(mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3), name="mine")
    again = Segmenter.from_config(segmenter.get_config())
    assert again.genotype == tiny_genotype()
    assert (again.num_classes, again.class_names, again.name) == (len(NAMES), NAMES, "mine")
    assert (again.mean, again.std) == ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))


def test_the_defaults_are_compiled_again_on_loading(tmp_path):
    segmenter = tiny_segmenter()
    segmenter.compile()
    segmenter.save(tmp_path / "segmenter.keras")
    loaded = keras.models.load_model(tmp_path / "segmenter.keras")
    assert loaded.optimizer.get_config()["momentum"] == 0.9
    assert isinstance(loaded.loss, OhemCrossEntropy)
    images, labels = labelled_images(2)
    scores = loaded.evaluate(images, labels, verbose=0, return_dict=True)
    assert scores == segmenter.evaluate(images, labels, verbose=0, return_dict=True)
    metric = MeanIoU(len(NAMES))
    metric.update_state(labels, loaded(images))
    np.testing.assert_allclose(scores["mean_iou"], float(metric.result()), rtol=1e-5)


def test_the_exported_network_answers_as_the_segmenter(tmp_path):
    segmenter = tiny_segmenter(mean=(0.5, 0.4, 0.3))
    path = export_saved_model(
        segmenter.network,
        tmp_path / "1",
        num_classes=segmenter.num_classes,
        mean=segmenter.mean,
        std=segmenter.std,
        class_names=segmenter.class_names,
    )
    signatures = tf.saved_model.load(str(path)).signatures
    images = random_images(2, 45, 70)
    logits = signatures["logits"](images=tf.constant(images))["logits"]
    np.testing.assert_allclose(logits, segmenter(images), atol=1e-5)
    class_ids = signatures["serving_default"](images=tf.constant(images))["class_ids"]
    assert_same_classes(segmenter.segment(images), logits.numpy())
    assert_same_classes(class_ids.numpy(), logits.numpy())


def test_exporting_as_keras_does_leaves_sizes_free(tmp_path):
    segmenter = tiny_segmenter()
    images = random_images(2, 45, 70)
    logits = segmenter(images)
    segmenter.export(tmp_path / "export", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "export"))
    np.testing.assert_allclose(loaded.serve(images.astype(np.float32)), logits, atol=1e-5)


# === Ways to make one ===


def test_presets_are_the_published_networks():
    assert Segmenter.presets() == (
        "fasterseg_student",
        "fasterseg_teacher",
        "joint_published",
    )
    segmenter = Segmenter.from_preset("fasterseg_student")
    count = sum(int(np.prod(weight.shape)) for weight in segmenter.trainable_variables)
    assert count == 3_421_875


def test_a_genotype_file_is_a_preset_too(tmp_path):
    tiny_genotype().save(tmp_path / "mine.json")
    segmenter = Segmenter.from_preset(tmp_path / "mine.json", num_classes=3, name="mine")
    assert segmenter.genotype == tiny_genotype()
    assert (segmenter.num_classes, segmenter.name) == (3, "mine")


def test_unknown_presets_are_answered_by_those_there_are():
    with pytest.raises(ValueError, match=r"'resnet' is neither .* fasterseg_student, fasterseg_te"):
        Segmenter.from_preset("resnet", num_classes=3)


@pytest.mark.parametrize("stored", [False, True])
def test_a_trained_network_keeps_its_weights_and_leaves_its_auxiliary_heads(tmp_path, stored):
    network = FasterSegNetwork(tiny_genotype(), 3, auxiliary_heads=True, dtype="mixed_float16")
    if stored:
        network.save(tmp_path / "network.keras")
    segmenter = Segmenter.from_network(
        tmp_path / "network.keras" if stored else network, class_names=("a", "b", "c")
    )
    deployed = network.without_auxiliary_heads()
    images = random_images(1, 32, 32)
    assert len(segmenter.weights) == len(deployed.weights)
    np.testing.assert_array_equal(segmenter(images), expected_logits(deployed, images))


def test_a_trained_network_brings_the_normalisation_it_was_trained_with():
    network = FasterSegNetwork(tiny_genotype(), 3, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    segmenter = Segmenter.from_network(network)
    images = random_images(1, 32, 32)
    expected = network((images / 255 - (0.5, 0.4, 0.3)) / (0.1, 0.2, 0.3))
    np.testing.assert_allclose(segmenter(images), expected, atol=1e-5)
    assert segmenter.network.mean == segmenter.mean == network.mean
    assert Segmenter.from_network(network, mean=MEAN, std=STD).mean == MEAN


def test_files_that_are_no_network_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"The trained network .* does not exist"):
        Segmenter.from_network(tmp_path / "network.keras")
    tiny_segmenter().save(tmp_path / "segmenter.keras")
    with pytest.raises(ValueError, match=r"declares .*Segmenter.* Give a network\.keras"):
        Segmenter.from_network(tmp_path / "segmenter.keras")


# === What is refused ===


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 0}, "from 1 to 255"),
        ({"num_classes": 256}, "255 means void. Received: num_classes=256"),
        ({"num_classes": 2, "class_names": ("a",)}, "one name for every class"),
        ({"num_classes": 2, "class_names": "ab"}, "one name for every class"),
        ({"num_classes": 2, "mean": (124, 116, 104)}, "divide values for bytes by 255"),
    ],
)
def test_arguments_that_make_no_segmenter_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Segmenter(tiny_genotype(), **arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((64, 64, 3), "add a batch axis to a single image"),
        ((1, 64, 64, 4), r"shape \(batch, height, width, 3\)"),
        ((1, 31, 64, 3), "at least 32"),
    ],
)
def test_images_of_other_shapes_are_refused(shape, message):
    segmenter = tiny_segmenter()
    images = np.zeros(shape, np.uint8)
    with pytest.raises(ValueError, match=message):
        segmenter(images)
    with pytest.raises(ValueError, match=message):
        segmenter.segment(images)
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        segmenter.segment(random_images(1, 32, 32), batch_size=0)
