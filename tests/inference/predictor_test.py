import types

import numpy as np
import pytest

from keras_fasterseg.inference.predictor import Predictor
from tests.stand_in import random_images


class BrightRunner:
    """Class 1 where red is above 127, in whichever size and output it has been exported for."""

    metadata = types.MappingProxyType({"mean": [0.2, 0.4, 0.6]})

    def __init__(self, input_size=None, batch_size=None, outputs=("class_ids", "logits")):
        self.input_size, self.batch_size, self.outputs = input_size, batch_size, outputs
        self.received = []

    def load(self):
        pass

    def __call__(self, images):
        assert "class_ids" in self.outputs
        self.received.append(images)
        return (images[..., 0] > 127).astype(np.uint8)

    def logits(self, images):
        self.received.append(images)
        return np.stack([np.full(images.shape[:3], 127.5), images[..., 0]], axis=-1)


def expected(images):
    return (images[..., 0] > 127).astype(np.uint8)


def test_images_of_every_size_come_back_in_their_own():
    predictor = Predictor(BrightRunner())
    for size in ((33, 47), (64, 32), (33, 47)):
        images = random_images(1, *size)
        class_ids = predictor(images)
        assert class_ids.dtype == np.uint8
        np.testing.assert_array_equal(class_ids, expected(images))


def test_a_network_of_one_size_gets_the_image_resized_and_its_ids_back():
    """Of constant blocks a smaller picture loses nothing, and the nearest gives each its id."""
    blocks = np.random.default_rng(0).integers(0, 2, (8, 12), np.uint8)
    images = np.stack([255 * np.kron(blocks, np.ones((8, 8), np.uint8))] * 3, axis=-1)[np.newaxis]
    runner = BrightRunner(input_size=(32, 48))
    predictor = Predictor(runner)
    class_ids = predictor(images)
    (received,) = runner.received
    assert received.shape == (1, 32, 48, 3)
    assert received.dtype == np.uint8
    assert predictor.sizes == ((32, 48),)
    assert class_ids.shape == (1, 64, 96)
    np.testing.assert_array_equal(class_ids[0], np.kron(blocks, np.ones((8, 8), np.uint8)))


def test_what_is_resized_is_bilinear_and_unchanged_where_the_size_fits():
    runner = BrightRunner(input_size=(32, 64))
    Predictor(runner)(np.full((1, 7, 15, 3), 77, np.uint8))
    np.testing.assert_array_equal(runner.received[0], np.full((1, 32, 64, 3), 77))
    # A step from 0 to 255 in the middle of two columns has values between, but no id between.
    step = np.zeros((1, 32, 2, 3), np.uint8)
    step[:, :, 1] = 255
    class_ids = Predictor(runner, stretch=True)(step)
    assert len(np.unique(runner.received[1])) > 2
    np.testing.assert_array_equal(class_ids[0], np.tile(np.array([0, 1], np.uint8), (32, 1)))
    images = random_images(1, 32, 64)
    Predictor(runner)(images)
    np.testing.assert_array_equal(runner.received[2], images)


@pytest.mark.parametrize(
    ("original", "inner", "change"),
    [
        ((64, 96), (32, 48), None),
        # 10 % and a little less than that.
        ((100, 165), (32, 48), None),
        ((100, 166), (29, 48), 11),
        ((48, 48), (32, 32), 50),
        ((8, 6), (32, 24), 100),
        # Turned by a quarter, and so long that one row is left.
        ((96, 64), (32, 21), 125),
        ((2, 300), (1, 48), 9900),
    ],
)
def test_other_proportions_are_padded_and_said_once(caplog, original, inner, change):
    runner = BrightRunner(input_size=(32, 48))
    predictor = Predictor(runner)
    images = np.zeros((1, *original, 3), np.uint8)
    images[:, :, original[1] // 2 :] = 255
    for _ in range(2):
        class_ids = predictor(images)
    received = runner.received[0][0]
    assert received.shape == (32, 48, 3)
    is_inner = np.zeros((32, 48), bool)
    is_inner[: inner[0], : inner[1]] = True
    # 255 times the mean; the image itself is grey.
    np.testing.assert_array_equal(
        received[~is_inner], np.full_like(received[~is_inner], (51, 102, 153))
    )
    assert (np.ptp(received[is_inner], axis=-1) == 0).all()
    assert class_ids.shape == (1, *original)
    # The step lies where it lay, to a pixel of the network's.
    step = original[1] / inner[1] + 1
    columns = np.abs(np.arange(original[1]) + 0.5 - original[1] // 2) > step
    np.testing.assert_array_equal(class_ids[..., columns], expected(images)[..., columns])
    if change is None:
        assert not caplog.messages
        return
    (message,) = caplog.messages
    assert message == (
        f"The proportions of {original[0]}x{original[1]} images differ from the 32x48 that the "
        f"network was exported for, by {change} %: the images are resized to "
        f"{inner[0]}x{inner[1]} and padded; export for their proportions."
    )


def test_other_proportions_are_stretched_if_asked_for(caplog):
    runner = BrightRunner(input_size=(32, 48))
    images = np.zeros((1, 32, 96, 3), np.uint8)
    images[:, :, 48:] = 255
    class_ids = Predictor(runner, stretch=True)(images)
    np.testing.assert_array_equal(class_ids, expected(images))
    assert set(np.unique(runner.received[0][0, :, 26:])) == {255}
    assert caplog.messages[0].endswith("by 100 %: the images are stretched because of --stretch.")


def test_a_network_of_batches_and_one_of_logits():
    runner = BrightRunner(batch_size=3)
    images = random_images(1, 32, 40)
    class_ids = Predictor(runner)(images)
    np.testing.assert_array_equal(runner.received[0], np.repeat(images, 3, axis=0))
    np.testing.assert_array_equal(class_ids, expected(images))
    class_ids = Predictor(BrightRunner(outputs=("logits",)))(images)
    assert class_ids.dtype == np.uint8
    np.testing.assert_array_equal(class_ids, expected(images))


def test_the_first_call_of_each_size_is_not_timed():
    predictor = Predictor(BrightRunner())
    counts = []
    for width in (40, 40, 48, 48, 40):
        predictor(random_images(1, 32, width))
        counts.append(len(predictor.seconds))
    assert counts == [0, 1, 1, 2, 3]
    assert all(seconds > 0 for seconds in predictor.seconds)
    assert predictor.sizes == ((32, 40), (32, 48))


@pytest.mark.parametrize(
    ("runner", "sentences"),
    [
        (BrightRunner(), []),
        (BrightRunner((96, 120), 1), ["images of 96x120: other images are"]),
        (BrightRunner((96, 120), 2), ["images of 96x120: other images are", "batches of 2"]),
    ],
)
def test_what_happens_to_other_sizes_is_said_once(runner, sentences, caplog):
    caplog.set_level("INFO", logger="absl")
    predictor = Predictor(runner)
    predictor.load()
    for _ in range(2):
        predictor(random_images(1, 32, 40))
    assert len(caplog.messages) == len(sentences)
    for message, part in zip(caplog.messages, sentences, strict=True):
        assert part in message


@pytest.mark.parametrize("shape", [(2, 32, 32), (32, 32)])
def test_one_image_at_a_time(shape):
    with pytest.raises(ValueError, match="one image at a time"):
        Predictor(BrightRunner())(random_images(*shape))
