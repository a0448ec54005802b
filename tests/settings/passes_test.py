import numpy as np
import pytest

from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.runtimes.saved_model_runner import SavedModelRunner
from keras_fasterseg.settings.passes import ONE_PASS, PassSettings, with_passes
from tests.stand_in import (
    MEAN,
    NUM_CLASSES,
    STD,
    assert_same_classes,
    expected_logits,
    random_images,
    segmentation_network,
)


@pytest.fixture(scope="module")
def network():
    return segmentation_network()


@pytest.fixture(scope="module")
def runner(network, tmp_path_factory):
    target = tmp_path_factory.mktemp("export") / "1"
    export_saved_model(network, target, num_classes=NUM_CLASSES, mean=MEAN, std=STD)
    return SavedModelRunner(target)


def probabilities(network, images):
    exponentials = np.exp(expected_logits(network, images).astype(np.float64))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def test_once_and_whole_is_the_runner_itself(runner):
    assert with_passes(runner, ONE_PASS) is runner
    assert with_passes(runner, PassSettings(window_overlap=0.5)) is runner


@pytest.mark.parametrize(
    "settings",
    [PassSettings(scales=(0.5, 1.0)), PassSettings(flip=True), PassSettings(window=(32, 64))],
)
def test_anything_else_is_several_passes(runner, settings):
    assert "passes" in with_passes(runner, settings).describe()


def test_a_saved_model_and_its_mirror_as_keras_and_numpy_see_them(network, runner):
    images = random_images(1, 41, 70)
    mirrored = probabilities(network, images[:, :, ::-1])[:, :, ::-1]
    expected = (probabilities(network, images) + mirrored) / 2
    both = with_passes(runner, PassSettings(flip=True))
    # Probabilities of float32 networks that take sums in different orders, as in exports.py.
    np.testing.assert_allclose(np.exp(both.logits(images)), expected, atol=1e-5)
    assert_same_classes(both(images), expected, noise=1e-5)


def test_windows_of_a_saved_model_as_keras_and_numpy_see_them(network, runner):
    images = random_images(2, 32, 96)
    left = expected_logits(network, images[:, :, :64])
    right = expected_logits(network, images[:, :, 32:])
    overlap = (left[:, :, 32:] + right[:, :, :32]) / 2
    expected = np.concatenate([left[:, :, :32], overlap, right[:, :, 32:]], axis=2)
    received = with_passes(runner, PassSettings(window=(32, 64), window_overlap=0.5))
    assert_same_classes(received(images), expected)
