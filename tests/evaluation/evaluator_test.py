import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.evaluation.evaluator import evaluate
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from tests.stand_in import MEAN, STD, random_images, segmentation_network


class RedIsClass(Runner):
    """Predicts the value of the red channel."""

    def load(self):
        pass

    def synchronize(self):
        pass

    def describe(self):
        return {"runtime": "red"}

    def _infer(self, images, output):
        assert output == "class_ids"
        return images[..., 0]

    def _fetch(self, handle):
        return handle


def images_with_classes(class_ids):
    return np.repeat(np.asarray(class_ids, np.uint8)[..., None], 3, axis=-1)


def test_hand_computed():
    # Quarters of one image. True 0 0 1 void, predicted 0 1 1 0; class 2 occurs nowhere.
    labels = np.zeros((1, 64, 64), np.int32)
    predicted = np.zeros((1, 64, 64), np.uint8)
    predicted[:, :32, 32:] = 1
    labels[:, 32:, :32] = predicted[:, 32:, :32] = 1
    labels[:, 32:, 32:] = 255
    samples = [(images_with_classes(predicted), labels)]
    result = evaluate(RedIsClass(), samples, 3, ("road", "car", "sky"), progress=False)
    assert result.per_class["road"] == pytest.approx(1 / 2)
    assert result.per_class["car"] == pytest.approx(1 / 2)
    assert math.isnan(result.per_class["sky"])
    assert result.miou == pytest.approx(1 / 2)
    assert result.pixel_accuracy == pytest.approx(2 / 3)
    assert result.num_images == 1
    assert result.runner == {"runtime": "red"}
    found = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert found["per_class"] == {"road": 0.5, "car": 0.5, "sky": None}
    lines = [line.split() for line in result.table().splitlines()]
    assert lines[-4:] == [["road", "50.00"], ["car", "50.00"], ["sky", "absent"], ["mean", "50.00"]]


def test_equals_the_metric_of_keras_over_batches_of_different_sizes():
    runner = KerasRunner(segmentation_network(), MEAN, STD)
    generator = np.random.default_rng(2)
    samples, metric = [], keras.metrics.MeanIoU(5, ignore_class=255, sparse_y_pred=True)
    for shape in ((2, 32, 64), (1, 41, 37), (3, 32, 32)):
        images = random_images(*shape, seed=len(samples))
        labels = generator.choice([0, 1, 2, 3, 4, 255], shape).astype(np.uint8)
        samples.append((images, labels))
        metric.update_state(labels, runner(images))
    result = evaluate(runner, samples, 5, progress=False)
    assert result.miou == pytest.approx(float(metric.result()), abs=1e-6)
    assert result.num_images == 6
    assert list(result.per_class) == ["0", "1", "2", "3", "4"]


def test_takes_a_dataset_of_tensorflow():
    class_ids = np.random.default_rng(0).integers(0, 4, (5, 32, 32))
    samples = tf.data.Dataset.from_tensor_slices((images_with_classes(class_ids), class_ids))
    result = evaluate(RedIsClass(), samples.batch(2), 4, progress=False)
    assert result.num_images == 5
    assert result.miou == pytest.approx(1.0)
    assert result.pixel_accuracy == 1.0


def test_no_labelled_pixel_at_all_is_not_a_number():
    samples = [(images_with_classes(np.zeros((1, 32, 32))), np.full((1, 32, 32), 255))]
    result = evaluate(RedIsClass(), samples, 2, progress=False)
    assert math.isnan(result.miou)
    assert math.isnan(result.pixel_accuracy)
    assert result.to_json()["miou"] is None


def test_an_empty_dataset_is_refused():
    with pytest.raises(ValueError, match="`samples` is empty"):
        evaluate(RedIsClass(), [], 3, progress=False)


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "a"), ("a", "b", "c", "c")])
def test_names_that_do_not_name_every_class_are_refused(names):
    with pytest.raises(ValueError, match="num_classes=3"):
        evaluate(RedIsClass(), [], 3, names, progress=False)
