"""The pictures of a search in TensorBoard."""

import contextlib
import random
import types

import numpy as np
import pytest
from keras import ops

from keras_fasterseg.jobs.search_pictures import SearchPictures
from keras_fasterseg.run.search_report import SearchReport
from keras_fasterseg.search.ranking import Ranker
from tests.run.event_files import images
from tests.run.latency_rows import random_table
from tests.search.tiny_space import NUM_CLASSES, SPACE, functions_run_eagerly, make_space

PALETTE = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
TAGS = ("architecture/teacher", "architecture/student", "search", "predictions")
LOGS = {"loss": 1.5, "penalty_weight": 0.25}


@pytest.fixture(scope="module")
def space():
    return make_space()


@pytest.fixture(scope="module")
def shown():
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (64, 96, 3)).astype(np.uint8)
    label = generator.integers(0, NUM_CLASSES, (64, 96)).astype(np.uint8)
    return image, label


def normalized(image):
    return ((image[np.newaxis] / 255 - MEAN) / STD).astype(np.float32)


class FixedRanker:
    """Fixed scores; the teacher sees class 1 everywhere, the student class 2."""

    def __init__(self):
        self.seen = []

    def __call__(self, role, genotype):
        return 0.5

    @contextlib.contextmanager
    def network(self, role, genotype):
        def logits(images, training):
            assert not training
            self.seen.append(np.array(images))
            return ops.one_hot(
                np.full((1, 8, 12), 1 if role == "teacher" else 2), NUM_CLASSES, dtype="float32"
            )

        yield logits


def make_callbacks(folder, space, shown, ranker=None):
    table = random_table(SPACE, (64, 96), NUM_CLASSES)
    report = SearchReport(folder, table, ranker or FixedRanker(), (10.0, 20.0))
    report.set_model(types.SimpleNamespace(model=space))
    return report, SearchPictures(folder, report, [shown], PALETTE, MEAN, STD)


def end_epoch(callbacks, epoch):
    for callback in callbacks:
        callback.on_epoch_end(epoch, dict(LOGS))


def test_pictures_of_every_epoch_show_what_the_networks_predict(tmp_path, space, shown):
    report, pictures = make_callbacks(tmp_path, space, shown)
    for epoch in range(2):
        end_epoch((report, pictures), epoch)
    found = images(tmp_path / "tensorboard" / "pictures")
    assert set(found) == {(tag, epoch) for tag in TAGS for epoch in range(2)}
    assert found["architecture/student", 0].shape[1:] == (900, 3)
    image, label = shown
    # float32 against float64, of values of at most 3.
    for seen in report.ranker.seen:
        np.testing.assert_allclose(seen, normalized(image), atol=1e-5)
    # A row of four panels of 64 x 96 below the names, 4 pixels between.
    grid = found["predictions", 1][16:]
    assert grid.shape == (64, 4 * 96 + 3 * 4, 3)
    assert np.array_equal(grid[:, :96], image)
    assert np.array_equal(grid[:, 100:196], PALETTE[label])
    assert (grid[:, 200:296] == PALETTE[1]).all()
    assert (grid[:, 300:] == PALETTE[2]).all()


def test_an_epoch_that_is_run_again_has_its_pictures_once(tmp_path, space, shown):
    callbacks = make_callbacks(tmp_path, space, shown)
    end_epoch(callbacks, 0)
    end_epoch(callbacks, 1)
    end_epoch(make_callbacks(tmp_path, space, shown), 1)
    # Whoever reads them fails at a repetition.
    found = images(tmp_path / "tensorboard" / "pictures")
    assert {step for _, step in found} == {0, 1}


def test_nothing_random_is_drawn_and_nothing_is_changed(tmp_path, space, shown):
    ranker = Ranker(space, [], [])
    report, pictures = make_callbacks(tmp_path, space, shown, ranker)
    end_epoch([report], 0)

    def state():
        weights = [
            *space.supernet.variables,
            *space.architectures["teacher"].variables,
            *space.architectures["student"].variables,
            space.architectures["student"].random.state,
        ]
        generators = (random.getstate(), str(np.random.get_state()))
        return generators, [np.array(each) for each in weights]

    generators, weights = state()
    with functions_run_eagerly():
        end_epoch([pictures], 0)
    generators_after, weights_after = state()
    assert generators_after == generators
    for after, before in zip(weights_after, weights, strict=True):
        np.testing.assert_array_equal(after, before)
