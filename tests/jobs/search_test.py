"""Files that a search reads, and its trainer; the search itself is tested elsewhere."""

import keras
import pytest

from keras_fasterseg.data.search_parts import search_parts
from keras_fasterseg.data.synthetic_streets import generate
from keras_fasterseg.jobs.search import search, table_of_search
from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.run.checkpoints import Checkpoints
from keras_fasterseg.run.class_weights import resolve_class_weights
from keras_fasterseg.run.names import LATENCY_TABLE
from keras_fasterseg.search.penalty_controller import PenaltyController
from keras_fasterseg.settings.search import SearchSettings
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.spaces.joint.space import JointSpace
from keras_fasterseg.training.l2_adam import L2Adam
from tests.conformance.toy_space import ToySpace
from tests.run.latency_rows import random_table
from tests.search.tiny_space import NUM_CLASSES, SPACE
from tests.spaces.joint.tiny import SETTINGS as JOINT_SETTINGS


def test_a_search_goes_on_with_the_table_that_it_began_with(tmp_path):
    first = random_table(SPACE, (64, 128), NUM_CLASSES)
    assert table_of_search(tmp_path, first) is first
    calibrated = first.calibrated(Calibration(2.0, 0.0, 4))
    # Without a checkpoint it begins again.
    assert table_of_search(tmp_path, calibrated) is calibrated
    assert LatencyTable.load(tmp_path / LATENCY_TABLE) == calibrated
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    Checkpoints(tmp_path).save(model, 1, 0, {})
    assert table_of_search(tmp_path, first) == calibrated


class StartedError(Exception):
    """Ends a search where its training would begin."""


def test_the_trainer_has_the_optimizers_and_class_weights_of_the_settings(tmp_path, monkeypatch):
    def fit(trainer, *arguments):
        raise StartedError(trainer)

    monkeypatch.setattr("keras_fasterseg.jobs.search.fit", fit)
    source = generate(tmp_path, num_train=3, num_val=1, height=64, width=64, progress=False)
    table = random_table(ToySpace(), (64, 64), source.num_classes)
    settings = SearchSettings(
        batch_size=1,
        downsample=1,
        crop_size=(64, 64),
        optimizer="adam",
        architecture_weight_decay=1e-3,
        class_weights="histogram",
    )
    with pytest.raises(StartedError) as started:
        search(tmp_path, source, DataSettings(), ToySpace(), settings, table, None, seed=0)
    (trainer,) = started.value.args
    expected = resolve_class_weights(
        "histogram", source, search_parts(source.samples("train"), 0).fitted
    )
    assert trainer.model.class_weights == expected
    optimizers = trainer.optimizer, trainer.architecture_optimizer
    assert [(type(each), each.l2) for each in optimizers] == [(L2Adam, 5e-4), (L2Adam, 1e-3)]


def test_lambda_follows_the_expected_latency_of_a_two_sided_penalty(tmp_path, monkeypatch):
    """The penalty is 0 in the middle of the band, where lambda stays as it is."""

    def fit(trainer, batches, epochs, folder, callbacks):
        raise StartedError(trainer, callbacks)

    monkeypatch.setattr("keras_fasterseg.jobs.search.fit", fit)
    source = generate(tmp_path, num_train=3, num_val=1, height=64, width=64, progress=False)
    space = JointSpace(JOINT_SETTINGS)
    table = random_table(space, (64, 64), source.num_classes)
    start = space.search_model(source.num_classes, 0).evaluation_choices("student")
    fps = 1000 / float(space.penalty(table, source.num_classes, 1.0).expected_ms(start))
    for factor, expected in ((1.0, 1.0), (1.5, 2.0), (0.5, 2.0)):
        settings = SearchSettings(
            batch_size=1,
            downsample=1,
            crop_size=(64, 64),
            penalty_weight=1.0,
            min_fps=0.9 * factor * fps,
            max_fps=1.1 * factor * fps,
        )
        with pytest.raises(StartedError) as started:
            search(tmp_path, source, DataSettings(), space, settings, table, None, seed=0)
        trainer, callbacks = started.value.args
        (controller,) = (each for each in callbacks if isinstance(each, PenaltyController))
        controller.set_model(trainer)
        controller.on_epoch_end(0)
        assert float(trainer.penalty_weight) == expected
