"""Mean IoU against a matrix counted by hand, a NumPy loop, Keras and cityscapesscripts."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling

from keras_fasterseg.metrics import MeanIoU, iou_from_confusion

# Rows are labels. Class 0: 3 / (3 + 1 + 2), class 1: 4 / (4 + 2 + 1), class 3 is absent, and class
# 2 occurs among the predictions alone.
CONFUSION = np.array([[3, 1, 0, 0], [1, 4, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
PER_CLASS = [3 / 5, 4 / 7, 0.0, np.nan]
MEAN = (3 / 5 + 4 / 7 + 0.0) / 3


def pixels_of(confusion):
    labels, predictions = np.nonzero(confusion)
    counts = confusion[labels, predictions]
    return np.repeat(labels, counts), np.repeat(predictions, counts)


def random_batch(seed, classes=5, void=0.2):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, (2, 7, 9))
    predictions = np.where(generator.random(labels.shape) < 0.5, labels, 1)
    labels[generator.random(labels.shape) < void] = 255
    return labels.astype("uint8"), predictions


def iou_numpy(labels, predictions, classes):
    """Set by set, as the definition has it."""
    valid = labels != 255
    result = []
    for index in range(classes):
        label, prediction = valid & (labels == index), valid & (predictions == index)
        union = np.count_nonzero(label | prediction)
        result.append(np.count_nonzero(label & prediction) / union if union else np.nan)
    return np.array(result)


def test_pure_function_on_a_matrix_counted_by_hand():
    result = iou_from_confusion(CONFUSION)
    np.testing.assert_allclose(result.per_class, PER_CLASS)
    assert result.mean == pytest.approx(MEAN)


def test_pure_function_without_any_pixel():
    result = iou_from_confusion(np.zeros((3, 3), "int64"))
    assert np.isnan(result.mean)
    assert np.isnan(result.per_class).all()


@pytest.mark.parametrize("confusion", [np.zeros((2, 3)), np.zeros(4), -np.eye(2)])
def test_pure_function_says_what_is_no_confusion_matrix(confusion):
    with pytest.raises(ValueError, match=f"shape=\\({confusion.shape[0]},"):
        iou_from_confusion(confusion)


def test_metric_on_a_matrix_counted_by_hand():
    metric = MeanIoU(4, from_logits=False)
    labels, predictions = pixels_of(CONFUSION)
    metric.update_state(np.append(labels, [255, 255]), np.append(predictions, [0, 3]))
    np.testing.assert_array_equal(metric.confusion(), CONFUSION)
    np.testing.assert_allclose(metric.per_class(), PER_CLASS)
    assert float(metric.result()) == pytest.approx(MEAN)


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_metric_over_batches_equals_sets_of_pixels_and_keras(jit_compile):
    metric, other = MeanIoU(5, from_logits=False), keras.metrics.MeanIoU(5, ignore_class=255)
    update = metric.update_state
    if jit_compile is not None:
        update = tf.function(update, jit_compile=jit_compile)
    batches = [random_batch(seed) for seed in range(3)]
    for labels, predictions in batches:
        update(labels, predictions)
        other.update_state(labels, predictions)
    labels, predictions = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    expected = iou_numpy(labels, predictions, 5)
    np.testing.assert_allclose(metric.per_class(), expected)
    assert float(metric.result()) == pytest.approx(expected.mean())
    assert float(metric.result()) == pytest.approx(float(other.result()))
    metric.reset_state()
    assert metric.confusion().sum() == 0


def test_metric_equals_cityscapesscripts():
    labels, predictions = pixels_of(CONFUSION)
    metric = MeanIoU(4, from_logits=False)
    metric.update_state(labels, predictions)
    # Label ids of four classes that are evaluated: road, sidewalk, building, wall.
    ids = [7, 8, 11, 12]
    confusion = np.zeros((35, 35), "uint64")
    confusion[np.ix_(ids, ids)] = CONFUSION
    args = evalPixelLevelSemanticLabeling.CArgs()
    args.evalLabels = ids
    score = evalPixelLevelSemanticLabeling.getIouScoreForLabel
    scores = [score(label, confusion, args) for label in ids]
    np.testing.assert_allclose(metric.per_class(), scores)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_logits_count_by_their_largest(dtype):
    labels, predictions = random_batch(0)
    logits = tf.cast(np.eye(5)[predictions] * 3 - 1, dtype)
    metric = MeanIoU(5)
    metric.update_state(labels, logits)
    np.testing.assert_allclose(metric.per_class(), iou_numpy(labels, predictions, 5))


def test_counts_beyond_int32_exactly():
    """Three dozen times 2**27 + 1 pixels of a kind: more than twice what an int32 holds."""
    counts = np.array([2**27 + 1, 5, 0, 2**27 - 1, 0], "int32")
    metric = MeanIoU(2, from_logits=False)
    # The pixels themselves would take minutes; what is tested is how their counts are added up.
    metric._count = lambda labels, predictions: tf.constant(counts)
    for _ in range(36):
        metric.update_state(np.zeros(1), np.zeros(1))
    expected = 36 * counts[:4].astype("int64").reshape(2, 2)
    assert expected.max() > 2**32
    np.testing.assert_array_equal(metric.confusion(), expected)
    assert float(metric.result()) == pytest.approx(iou_from_confusion(expected).mean, rel=1e-6)


def test_absent_classes_do_not_count_and_no_pixel_gives_nan():
    metric = MeanIoU(19, from_logits=False)
    metric.update_state(np.full((1, 2, 2), 255), np.zeros((1, 2, 2)))
    assert np.isnan(metric.per_class()).all()
    assert np.isnan(float(metric.result()))
    metric.update_state(np.full((1, 2, 2), 3), np.full((1, 2, 2), 3))
    assert float(metric.result()) == 1
    assert np.isnan(metric.per_class()).sum() == 18


@pytest.mark.parametrize(("label", "prediction"), [(19, 0), (-1, 0), (0, 19), (0, -1)])
def test_refuses_labels_and_predictions_that_are_no_class(label, prediction):
    metric = MeanIoU(19, from_logits=False)
    metric.update_state(np.array([0, label, 255]), np.array([0, prediction, 99]))
    with pytest.raises(ValueError, match=r"1 pixels have a label .* 19 classes"):
        metric.per_class()


def test_works_in_compile_and_evaluate():
    model = keras.Sequential([keras.Input((None, None, 5)), keras.layers.Identity()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model.compile(loss=loss, metrics=[MeanIoU(5)])
    labels, predictions = random_batch(1)
    logits = np.eye(5, dtype="float32")[predictions]
    scores = model.evaluate(logits, labels, batch_size=1, verbose=0, return_dict=True)
    assert scores["mean_iou"] == pytest.approx(iou_numpy(labels, predictions, 5).mean())


def test_survives_its_config():
    metric = MeanIoU(11, ignore_label=11, from_logits=False, name="iou")
    restored = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert isinstance(restored, MeanIoU)
    assert restored.get_config() == metric.get_config()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 0}, "num_classes.*Received: 0"),
        ({"num_classes": 19, "ignore_label": 0}, "ignore_label=0"),
    ],
)
def test_says_which_option_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        MeanIoU(**options)


def test_says_that_the_shapes_do_not_fit():
    labels = np.zeros((1, 4, 4), "int32")
    with pytest.raises(ValueError, match=r"require predictions of shape \(1, 4, 4, 3\)"):
        MeanIoU(3).update_state(labels, labels)
    with pytest.raises(ValueError, match=r"require predictions of shape \(1, 4, 4\)"):
        MeanIoU(3, from_logits=False).update_state(labels, np.zeros((1, 4, 4, 3)))


def test_refuses_weights():
    labels = np.zeros((1, 4, 4), "int32")
    with pytest.raises(ValueError, match="sample_weight"):
        MeanIoU(3, from_logits=False).update_state(labels, labels, sample_weight=labels)
