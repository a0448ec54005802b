import numpy as np
import pytest

from keras_fasterseg.evaluation.evaluator import evaluate
from keras_fasterseg.inference.multi_pass_runner import MultiPassRunner
from keras_fasterseg.runtimes.base import Runner
from tests.stand_in import random_images

# The runner computes in float32 and resizes, the expectations are float64 or closed forms: 1e-6 for
# probabilities, which are below 1 (float32 rounds them by 6e-8 a step), 1e-5 for logits and
# logarithms.


class LogitsRunner(Runner):
    """Logits are a function of the images; notes the size of all that it is asked."""

    def __init__(self, function, input_size=None, outputs=("class_ids", "logits")):
        self.function, self.size, self.kinds = function, input_size, outputs
        self.asked = []
        self._metadata = {"num_classes": 3}

    @property
    def input_size(self):
        return self.size

    @property
    def outputs(self):
        return self.kinds

    def load(self):
        pass

    def synchronize(self):
        pass

    def describe(self):
        return {"runtime": "function"}

    def _infer(self, images, output):
        assert output == "logits"
        assert images.flags.c_contiguous
        self.asked.append(images.shape[1:3])
        return self.function(images)

    def _fetch(self, handle):
        return np.asarray(handle, np.float32)


def channels(images):
    """Pixel by pixel, so that neither a mirror nor a window changes it."""
    return images / np.float32(64)


def softmax(logits):
    exponentials = np.exp(np.asarray(logits, np.float64))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def log_softmax(logits):
    return np.log(softmax(logits))


def columns(images):
    """Logits of two classes that know where the pixel lies: its column, and zero."""
    across = np.broadcast_to(np.arange(images.shape[2], dtype=np.float32), images.shape[:3])
    return np.stack([across, np.zeros_like(across)], axis=-1)


def test_one_pass_is_the_runner():
    images = random_images(2, 33, 45)
    runner = MultiPassRunner(LogitsRunner(channels))
    np.testing.assert_array_equal(runner(images), images.argmax(axis=-1))
    assert runner(images).dtype == np.uint8
    np.testing.assert_allclose(runner.logits(images), log_softmax(channels(images)), atol=1e-5)


def test_the_mirror_of_what_does_not_mind_changes_nothing():
    images = random_images(1, 37, 53)
    inner = LogitsRunner(channels)
    runner = MultiPassRunner(inner, flip=True)
    np.testing.assert_array_equal(runner(images), images.argmax(axis=-1))
    np.testing.assert_allclose(runner.logits(images), log_softmax(channels(images)), atol=1e-5)
    assert inner.asked == 2 * 2 * [(37, 53)]


def test_the_mirror_of_what_does_mind_is_mirrored_back():
    images = random_images(1, 32, 41)
    logits = columns(images)
    expected = (softmax(logits) + softmax(logits[:, :, ::-1])) / 2
    received = MultiPassRunner(LogitsRunner(columns), flip=True).logits(images)
    np.testing.assert_allclose(np.exp(received), expected, atol=1e-6)


@pytest.mark.parametrize("overlap", [0.0, 1 / 3, 0.5, 0.8])
@pytest.mark.parametrize("window", [(32, 32), (33, 64), (45, 40), (200, 40)])
def test_windows_of_what_looks_at_single_pixels_are_the_whole(window, overlap):
    images = random_images(2, 45, 71)
    inner = LogitsRunner(channels)
    runner = MultiPassRunner(inner, window=window, window_overlap=overlap)
    whole = MultiPassRunner(LogitsRunner(channels)).logits(images)
    np.testing.assert_allclose(runner.logits(images), whole, rtol=1e-5, atol=1e-6)
    assert set(inner.asked) == {(min(window[0], 45), min(window[1], 71))}


def test_windows_without_overlap_are_the_whole_to_the_last_bit():
    images = random_images(1, 64, 96)
    runner = MultiPassRunner(LogitsRunner(channels), window=(32, 32), window_overlap=0.0)
    whole = MultiPassRunner(LogitsRunner(channels))
    np.testing.assert_array_equal(runner.logits(images), whole.logits(images))


def test_where_windows_overlap_their_mean_counts():
    images = random_images(1, 32, 80)
    calls = []

    def by_call(windows):
        calls.append(windows)
        # Window k says k to class 0: 0, 1, 2, 3 from left to right.
        first = np.full(windows.shape[:3], len(calls) - 1, np.float32)
        return np.stack([first, np.zeros_like(first)], axis=-1)

    runner = MultiPassRunner(LogitsRunner(by_call), window=(40, 32), window_overlap=0.5)
    received = runner.logits(images)
    # They begin at columns 0, 16, 32 and 48, and end 32 later.
    first = np.repeat([0, 0.5, 1.5, 2.5, 3], 16)
    expected = log_softmax(np.stack([first, np.zeros(80)], axis=-1))
    np.testing.assert_allclose(received[0], np.tile(expected, (32, 1, 1)), atol=1e-6)
    for left, window in zip((0, 16, 32, 48), calls, strict=True):
        np.testing.assert_array_equal(window, images[:, :, left : left + 32])


def test_scales_ask_for_the_sizes_of_training_and_come_back():
    images = np.full((1, 45, 70, 3), (200, 10, 90), np.uint8)
    inner = LogitsRunner(channels)
    runner = MultiPassRunner(inner, scales=(0.75, 1.0, 1.25, 2.0))
    received = runner.logits(images)
    # Halves are rounded to even numbers, as TensorFlow does.
    assert inner.asked == [(34, 52), (45, 70), (56, 88), (90, 140)]
    assert received.shape == (1, 45, 70, 3)
    # Of one colour everywhere, no size changes anything.
    np.testing.assert_allclose(received, log_softmax(channels(images)), atol=1e-5)


def test_a_scale_moves_nothing_sideways():
    ramp = np.zeros((1, 64, 64, 3), np.uint8)
    ramp[..., 0] = 2 * np.arange(64)
    received = MultiPassRunner(LogitsRunner(channels), scales=(0.5,)).logits(ramp)
    # Means of neighbours, 1, 5, 9 ..., interpolated at the quarters between: 2, 4, 6 ... again.
    expected = log_softmax(channels(ramp))
    np.testing.assert_allclose(received[:, :, 1:-1], expected[:, :, 1:-1], atol=1e-6)


def test_all_passes_count_alike():
    images = random_images(1, 64, 64)

    def by_size(scaled):
        first = np.full(scaled.shape[:3], scaled.shape[1], np.float32) / 64
        return np.stack([first, np.zeros_like(first)], axis=-1)

    runner = MultiPassRunner(LogitsRunner(by_size), scales=(0.5, 1.0, 1.5), flip=True)
    expected = np.mean(softmax([[0.5, 0], [1.0, 0], [1.5, 0]]), axis=0)
    received = np.exp(runner.logits(images))
    np.testing.assert_allclose(received, np.broadcast_to(expected, (1, 64, 64, 2)), atol=1e-6)


def test_it_is_a_runner_that_says_how_it_asks():
    runner = MultiPassRunner(LogitsRunner(channels), scales=(1, 2), window=(32, 48))
    assert runner.describe() == {
        "runtime": "function",
        "passes": {
            "scales": [1.0, 2.0],
            "flip": False,
            "window": [32, 48],
            "window_overlap": 1 / 3,
        },
    }
    assert runner.metadata == {"num_classes": 3}
    images = random_images(1, 40, 60)
    windows = MultiPassRunner(LogitsRunner(channels), window=(32, 48))
    assert evaluate(windows, [(images, images.argmax(axis=-1))], 3, progress=False).miou == 1
    with pytest.raises(ValueError, match="Images must be a uint8 array"):
        runner(images.astype(np.float32))


def test_a_graph_of_one_size_sees_windows_of_that_size():
    images = random_images(1, 45, 71)
    inner = LogitsRunner(channels, input_size=(32, 40))
    runner = MultiPassRunner(inner, window=(32, 40), scales=(1.0, 1.5))
    assert runner(images).shape == (1, 45, 71)
    assert set(inner.asked) == {(32, 40)}


@pytest.mark.parametrize(
    ("options", "asked"),
    [({"scales": (1.0, 0.5)}, "45x71"), ({"window": (40, 40)}, "40x40")],
)
def test_a_graph_of_another_size_is_named_with_what_helps(options, asked):
    runner = MultiPassRunner(LogitsRunner(channels, input_size=(32, 40)), **options)
    message = f"needs images of 32x40, but a pass has {asked}; set --window=32x40"
    with pytest.raises(ValueError, match=message):
        runner(random_images(1, 45, 71))


def test_a_scale_at_which_the_image_is_too_small_is_refused():
    runner = MultiPassRunner(LogitsRunner(channels), scales=(0.5,))
    with pytest.raises(ValueError, match=r"must be at least 32. Received: shape \(1, 20, 32, 3\)"):
        runner(random_images(1, 40, 64))


def test_without_logits_there_is_nothing_to_average():
    with pytest.raises(ValueError, match="export it again with --output=both"):
        MultiPassRunner(LogitsRunner(channels, outputs=("class_ids",)), flip=True)


@pytest.mark.parametrize(
    "options", [{"scales": ()}, {"scales": (1, 0)}, {"window": (0, 3)}, {"window_overlap": 1}]
)
def test_options_out_of_their_range_are_refused(options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be"):
        MultiPassRunner(LogitsRunner(channels), **options)
