import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.search.supernet_evaluation import SupernetEvaluator
from keras_fasterseg.spaces.fasterseg.supernet_decoder import Predictions
from tests.search.tiny_space import NUM_CLASSES, random_batch


def enlarged(logits: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear with aligned corners: one interpolation a row, one a column."""

    def along(axis, size, values):
        points = np.linspace(0, values.shape[axis] - 1, size)
        low = np.minimum(points.astype(int), values.shape[axis] - 2)
        shape = [1] * values.ndim
        shape[axis] = size
        share = (points - low).reshape(shape)
        lower, upper = np.take(values, low, axis), np.take(values, low + 1, axis)
        return lower * (1 - share) + upper * share

    return along(2, width, along(1, height, logits.astype("float64")))


def mean_iou(pairs) -> float:
    """Mean over the classes that occur, counted pixel set by pixel set."""
    scores = []
    for index in range(NUM_CLASSES):
        intersection = sum(int(((true == index) & (found == index)).sum()) for true, found in pairs)
        union = sum(
            int((((true == index) | (found == index)) & (true != 255)).sum())
            for true, found in pairs
        )
        if union:
            scores.append(intersection / union)
    return float(np.mean(scores))


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_equals_numpy(space, role, eagerly):
    batches = [random_batch(1), random_batch(2)]
    choices = space.architectures[role]()
    scores = SupernetEvaluator(space, [], batches)(role)
    assert tuple(scores) == Predictions._fields
    by_name = {name: [] for name in Predictions._fields}
    for images, labels in batches:
        predictions = space.supernet(images, choices=choices, training=False)
        for name, logits in zip(Predictions._fields, predictions, strict=True):
            found = enlarged(np.asarray(logits), 64, 64).argmax(-1)
            by_name[name].append((np.asarray(labels), found))
    for name, pairs in by_name.items():
        # A pixel or two of the 8,192 may lie between two classes to the last bit.
        assert scores[name] == pytest.approx(mean_iou(pairs), abs=1e-3)


def test_statistics_stay_and_choices_matter(space, eagerly):
    before = [np.array(variable) for variable in space.supernet.non_trainable_variables]
    evaluator = SupernetEvaluator(space, [random_batch(2)], [random_batch(1)])
    first = evaluator("student")
    assert evaluator("student") == first
    assert evaluator("student", discretized=True) != first
    for variable, value in zip(space.supernet.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_scores_use_statistics_of_the_training_images(space, eagerly):
    before = [np.array(variable) for variable in space.supernet.non_trainable_variables]
    batch, other = random_batch(1), random_batch(2)
    scores = [
        SupernetEvaluator(space, training, [batch])("student", discretized=True)
        for training in ([], [batch], [other])
    ]
    assert scores[0] != scores[1] != scores[2]
    for variable, value in zip(space.supernet.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_nothing_labelled_scores_nan(space, eagerly):
    images, labels = random_batch()
    evaluator = SupernetEvaluator(space, [], [(images, tf.fill(labels.shape, 255))])
    scores = evaluator("student")
    assert np.isnan(list(scores.values())).all()


def test_predictions_have_the_size_of_the_images(space):
    evaluator = SupernetEvaluator(space, [], [])
    generator = np.random.default_rng(0)
    for height, width in ((64, 96), (96, 64)):
        images = generator.normal(size=(1, height, width, 3)).astype("float32")
        for role in ("teacher", "student"):
            choices = space.architectures[role]()
            predictions = space.supernet(images, choices=choices, training=False)
            found = evaluator.class_ids(role, images)
            for name, logits in zip(Predictions._fields, predictions, strict=True):
                expected = enlarged(np.asarray(logits), height, width).argmax(-1)
                # As above: a pixel or two may lie between two classes to the last bit.
                assert np.mean(found[name] != expected) <= 1e-3
