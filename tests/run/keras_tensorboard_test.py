"""Scalars of epochs compared with those of Keras' own callback, which needs TensorFlow."""

import keras

from keras_fasterseg.run.epoch_summaries import EpochScalars
from tests.run.epoch_summaries_test import record
from tests.run.event_files import scalars


def test_logs_of_epochs_are_those_of_keras(tmp_path):
    record(EpochScalars(tmp_path / "found"))
    record(keras.callbacks.TensorBoard(str(tmp_path / "expected"), write_graph=False))
    for part in ("train", "validation"):
        assert scalars(tmp_path / "found" / part) == scalars(tmp_path / "expected" / part)
