"""Tests of the pictures of a training in TensorBoard."""

import types

import numpy as np

from keras_fasterseg.run.sample_predictions import SamplePredictions
from keras_fasterseg.training.keep_best import KeepBest
from tests.run.event_files import images

PALETTE = np.array([(255, 0, 0), (0, 255, 0)], np.uint8)


def test_predictions_of_evaluated_epochs_only(tmp_path):
    keep_best = KeepBest(lambda: types.SimpleNamespace(miou=0.5), lambda result: None, 2, epochs=5)
    image = np.full((32, 64, 3), 90, np.uint8)
    label = np.zeros((32, 64), np.uint8)
    values = iter([0, 1, 1])

    def runner(batch):
        assert batch.shape == (1, 32, 64, 3)
        return np.full(batch.shape[:3], next(values), np.uint8)

    pictures = SamplePredictions(tmp_path, keep_best, runner, [(image, label)], PALETTE)
    for epoch in range(5):
        pictures.on_epoch_end(epoch)
    found = images(tmp_path / "tensorboard" / "pictures")
    # After every second epoch, and after the last.
    assert set(found) == {("predictions", epoch) for epoch in (1, 3, 4)}
    grid = found["predictions", 3][16:]
    assert (grid[:, :64] == 90).all()
    assert (grid[:, 68:132] == PALETTE[0]).all()
    assert (grid[:, 136:] == PALETTE[1]).all()
    assert (found["predictions", 1][16:, 136:] == PALETTE[0]).all()
