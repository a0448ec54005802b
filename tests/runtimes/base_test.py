import numpy as np
import pytest

from keras_fasterseg.runtimes.base import Runner, check_images, genotype_fact
from keras_fasterseg.spaces.registry import load_preset


class _Brightness(Runner):
    """Class 1 where the red channel is above 127; handles are closures, computed when fetched."""

    loads = 0
    fetches = 0

    def load(self):
        self.loads += 1

    def synchronize(self):
        pass

    def describe(self):
        return {}

    def _infer(self, images, output):
        red = images[..., 0]
        if output == "class_ids":
            return lambda: (red > 127).astype(np.uint8)
        return lambda: np.stack([255.0 - red, red], -1).astype(np.float32)

    def _fetch(self, handle):
        self.fetches += 1
        return handle()


class _Static(_Brightness):
    input_size = (32, 64)
    batch_size = 2
    outputs = ("class_ids",)


def test_calls_load_before_they_run():
    runner = _Brightness()
    images = np.full((1, 32, 32, 3), 200, np.uint8)
    np.testing.assert_array_equal(runner(images), np.ones((1, 32, 32)))
    assert runner.loads == 1
    np.testing.assert_array_equal(runner.logits(images)[0, 0, 0], [55.0, 200.0])


def test_a_call_in_two_steps_copies_only_in_the_second():
    runner = _Brightness()
    images = np.full((1, 32, 32, 3), 200, np.uint8)
    handle = runner.infer(images)
    assert runner.fetches == 0
    np.testing.assert_array_equal(runner.fetch(handle), runner(images))
    handle = runner.infer(images, "logits")
    np.testing.assert_array_equal(runner.fetch(handle), runner.logits(images))


def test_nothing_is_fixed_or_known_by_default():
    runner = _Brightness()
    assert runner.input_size is None
    assert runner.batch_size is None
    assert runner.metadata == {}
    assert runner.outputs == ("class_ids", "logits")


@pytest.mark.parametrize("shape", [(1, 32, 64, 3), (2, 64, 64, 3), (2, 32, 32, 3)])
def test_another_size_than_that_of_the_artefact_is_refused(shape):
    received = "x".join(map(str, shape[:3]))
    with pytest.raises(ValueError, match=f"2x32x64. Received: {received}"):
        _Static().infer(np.zeros(shape, np.uint8))
    assert _Static()(np.zeros((2, 32, 64, 3), np.uint8)).shape == (2, 32, 64)


def test_an_output_that_is_not_there_is_refused():
    images = np.zeros((2, 32, 64, 3), np.uint8)
    with pytest.raises(ValueError, match=r"no output 'logits', only class_ids.*--output=both"):
        _Static().logits(images)
    with pytest.raises(ValueError, match="output='features'"):
        _Brightness().infer(images, "features")


def test_a_genotype_is_named_by_its_id():
    genotype = load_preset("fasterseg_student")
    assert genotype_fact({"genotype": genotype.to_json()}) == {"genotype": genotype.id}
    for unknown in ({}, {"genotype": "abc"}, {"genotype": {"space": "other"}}):
        assert genotype_fact(unknown) == {}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 32, 32, 3), np.float32), "float32"),
        (np.zeros((32, 32, 3), np.uint8), r"\(32, 32, 3\)"),
        (np.zeros((1, 32, 32, 1), np.uint8), r"\(1, 32, 32, 1\)"),
        (np.zeros((0, 32, 32, 3), np.uint8), r"\(0, 32, 32, 3\)"),
        ([[[[0, 0, 0]]]], "list"),
        (np.zeros((1, 31, 64, 3), np.uint8), "at least 32"),
        (np.zeros((1, 64, 31, 3), np.uint8), "at least 32"),
    ],
)
def test_images_that_no_network_can_take_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        check_images(images)
    with pytest.raises(ValueError, match=message):
        _Brightness()(images)
    with pytest.raises(ValueError, match=message):
        _Brightness().logits(images)
