import pathlib

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.benchmark.scopes import DEFAULT_SCOPE, find_scope, timed_calls
from tests.benchmark.fake_clock import FakeClock
from tests.benchmark.fake_runner import FakeRunner
from tests.stand_in import random_images


class Recorder(FakeRunner):
    """Keeps what it was given."""

    def __init__(self):
        super().__init__(FakeClock(), [1.0])
        self.given = []

    def __call__(self, images):
        self.given.append(images)
        return super().__call__(images)


def test_files_are_decoded_and_label_maps_hold_the_class_ids(monkeypatch):
    images = random_images(2, 32, 48)
    runner, written = Recorder(), []
    save = Image.Image.save

    def recorded(image, path):
        save(image, path)
        written.append(pathlib.Path(path))

    monkeypatch.setattr(Image.Image, "save", recorded)
    with timed_calls(find_scope("file_to_label_map"), {"runner": runner}, images) as calls:
        assert runner.given == []
        assert len(written) == 2
        calls["runner"]()
        np.testing.assert_array_equal(runner.given[0], images)
        for path, image in zip(written[2:], images, strict=True):
            label_map = Image.open(path)
            assert label_map.mode == "L"
            np.testing.assert_array_equal(np.asarray(label_map), image[..., 0] % 5)
    assert not any(path.exists() for path in written)


def test_the_default_ends_in_host_memory_and_the_network_on_the_device():
    images = random_images(1, 32, 32)
    runner = Recorder()
    with timed_calls(find_scope(DEFAULT_SCOPE), {"runner": runner}, images) as calls:
        calls["runner"]()
    assert len(runner.given) == 1
    assert runner.calls == 0  # counted from the second call on
    with timed_calls(find_scope("network"), {"runner": runner}, images) as calls:
        calls["runner"]()
    assert len(runner.given) == 1
    assert runner.inferred == ["logits"]
    assert runner.calls == 1


def test_runners_write_to_folders_of_their_own():
    images = random_images(1, 32, 32)
    runners = {"a": Recorder(), "b": Recorder()}
    with timed_calls(find_scope("file_to_label_map"), runners, images) as calls:
        for call in calls.values():
            call()
    for runner in runners.values():
        np.testing.assert_array_equal(runner.given[0], images)


def test_unknown_scope_is_refused():
    with pytest.raises(ValueError, match="Unknown scope 'pipeline'; choose one of network, "):
        find_scope("pipeline")
