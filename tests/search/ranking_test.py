import numpy as np
import pytest

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.metrics.confusion_matrix import confusion_of
from keras_fasterseg.metrics.mean_iou import iou_from_confusion
from keras_fasterseg.search.batch_statistics import statistics_of
from keras_fasterseg.search.ranking import Ranker, class_ids
from tests.search.tiny_space import NUM_CLASSES, random_batch

SAMPLES = [random_batch(1), random_batch(2)]
TRAINING = [tuple(map(np.asarray, random_batch(seed))) for seed in (3, 4)]


@pytest.fixture
def genotype(space):
    return space.candidates("student")["scale_8_32"]


def test_the_score_is_the_mean_iou_at_full_size(space, genotype):
    ranker = Ranker(space, TRAINING, SAMPLES)
    with ranker.network("student", genotype) as network:
        confusion = sum(
            confusion_of(
                np.asarray(labels),
                np.argmax(resize_bilinear(network(images, training=False), (64, 64)), axis=-1),
                NUM_CLASSES,
            )
            for images, labels in SAMPLES
        )
    assert ranker("student", genotype) == iou_from_confusion(confusion).mean


def test_statistics_are_of_the_training_images(space, genotype):
    with Ranker(space, TRAINING, SAMPLES).network("student", genotype) as network:
        own = [np.array(each) for each in statistics_of(network)]
        stem = network.get_layer("stem").stages[0]
        features = [np.asarray(stem.convolution(stem._pad(images))) for images, _ in TRAINING]
    np.testing.assert_allclose(own[0], np.mean(features, axis=(0, 1, 2, 3)), atol=1e-5)
    with Ranker(space, [], SAMPLES).network("student", genotype) as network:
        supernet = [np.array(each) for each in statistics_of(network)]
    assert not np.allclose(own[0], supernet[0])


def test_scores_repeat_and_the_supernet_stays(space, genotype):
    before = space.supernet.get_weights()
    ranker = Ranker(space, TRAINING, SAMPLES)
    assert ranker("student", genotype) == ranker("student", genotype)
    for value, old in zip(space.supernet.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_without_labels_there_is_no_score(space, genotype):
    ignored = [(images, 0 * np.asarray(labels) + 255) for images, labels in SAMPLES]
    assert np.isnan(Ranker(space, TRAINING, ignored)("student", genotype))


def test_class_ids_have_the_size_of_the_images(space, genotype):
    with Ranker(space, [], []).network("student", genotype) as network:
        ids = class_ids(network, np.zeros((2, 64, 96, 3), "float32"))
    assert (ids.shape, ids.dtype) == ((2, 64, 96), np.uint8)
