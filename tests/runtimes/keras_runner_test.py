import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.runtimes.keras_runner import KerasRunner
from tests.stand_in import (
    MEAN,
    STD,
    assert_same_classes,
    expected_logits,
    random_images,
    segmentation_network,
)


@pytest.mark.parametrize("shape", [(1, 64, 32), (3, 45, 70)])
def test_equals_numpy_around_keras(shape):
    model = segmentation_network()
    runner = KerasRunner(model, MEAN, STD)
    images = random_images(*shape)
    expected = expected_logits(model, images)
    class_ids = runner(images)
    assert class_ids.dtype == np.uint8
    assert class_ids.shape == shape
    assert_same_classes(class_ids, expected)
    np.testing.assert_allclose(runner.logits(images), expected, atol=1e-5)


def test_sees_weights_that_changed_after_it_was_loaded():
    model = segmentation_network()
    runner = KerasRunner(model, MEAN, STD)
    runner.load()
    images = random_images(1, 32, 32)
    runner(images)
    model.set_weights(segmentation_network(seed=1).get_weights())
    np.testing.assert_allclose(runner.logits(images), expected_logits(model, images), atol=1e-5)


def test_small_images_are_refused():
    with pytest.raises(ValueError, match="at least 32"):
        KerasRunner(segmentation_network(), MEAN, STD)(random_images(1, 16, 64))


def test_describes_what_a_number_depends_on():
    runner = KerasRunner(segmentation_network(), MEAN, STD)
    runner.synchronize()
    facts = runner.describe()
    assert facts["runtime"] == "keras"
    assert facts["version"].startswith(f"keras {keras.__version__}, {keras.backend.backend()} ")
    assert facts["precision"] == "float32"
    assert facts["threads"] >= 1
    assert facts["device"]
    json.dumps(facts)


def test_infer_leaves_the_result_with_the_backend_and_metadata_are_kept():
    runner = KerasRunner(segmentation_network(), MEAN, STD, metadata={"genotype": "abc"})
    images = random_images(1, 32, 32)
    handle = runner.infer(images, "logits")
    assert ops.is_tensor(handle)
    np.testing.assert_array_equal(runner.fetch(handle), runner.logits(images))
    assert runner.metadata == {"genotype": "abc"}
    assert runner.input_size is None


def test_a_result_is_a_copy_that_may_be_changed():
    runner = KerasRunner(segmentation_network(), MEAN, STD)
    handle = runner.infer(random_images(1, 32, 32))
    runner.fetch(handle)[:] = 9
    assert runner.fetch(handle).max() < 9


def test_a_network_can_still_be_trained():
    """Whatever the layers remember of a prediction must not hinder gradients."""
    model = segmentation_network()
    runner = KerasRunner(model, MEAN, STD)
    images = random_images(1, 32, 32)
    before = runner.logits(images)
    model.compile("sgd", "mse")
    model.fit(images / 255.0, before + 1.0, verbose=0)
    assert np.abs(runner.logits(images) - before).max() > 0
