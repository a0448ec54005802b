"""A search that is killed in the middle of shrinking resumes with equal results."""

import contextlib
import dataclasses
import shutil

import h5py
import numpy as np
import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.jobs.search import search
from keras_fasterseg.jobs.search_pictures import SearchPictures
from keras_fasterseg.run.run import Run
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.settings.training import SearchSettings
from keras_fasterseg.spaces.joint.space import JointSpace
from tests.run.latency_rows import random_table
from tests.search.tiny_space import functions_run_eagerly
from tests.spaces.joint.tiny import SETTINGS

DATA = DataSettings(synthetic_train_images=1, synthetic_val_images=1, synthetic_size=(64, 64))
SEARCH = SearchSettings(
    epochs=3,
    steps_per_epoch=1,
    batch_size=1,
    crop_size=(64, 64),
    downsample=1,
    validation_images=1,
    optimizer="adam",
    architecture_learning_rate=0.1,
)
# Three steps of Adam move a logit by a tenth each: sigmoids then differ by 10, 20 and 30 %.
SPACE = JointSpace(dataclasses.replace(SETTINGS, shrinking_ratio=0.85))


# Graphs take a minute to trace.
@pytest.mark.parametrize(
    "running", [functions_run_eagerly, pytest.param(contextlib.nullcontext, marks=pytest.mark.slow)]
)
def test_a_search_killed_while_it_shrinks_resumes_bit_for_bit(tmp_path, monkeypatch, running):
    source = Run(tmp_path, DATA).source
    table = random_table(SPACE, (64, 64), source.num_classes)
    whole, killed = tmp_path / "whole", tmp_path / "killed"

    def copy(self, epoch, logs=None):
        if epoch == 2 and not killed.exists():
            shutil.copytree(whole, killed)

    monkeypatch.setattr(SearchPictures, "on_epoch_begin", copy)
    monkeypatch.setattr(SearchPictures, "on_epoch_end", lambda self, epoch, logs=None: None)
    with running():
        results = []
        for folder in (whole, killed):
            folder.mkdir(exist_ok=True)
            results.append(search(folder, source, DATA, SPACE, SEARCH, table, None, seed=0))
    assert results[0] == results[1]
    records = [read_json(folder / "search.json") for folder in (whole, killed)]
    assert records[0] == records[1]
    left = [each["log10_networks_left"] for each in records[0]]
    assert left[0] > left[1] > left[2] >= 0, left
    masks, same = (last_checkpoint(folder) for folder in (whole, killed))
    assert masks.keys() == same.keys()
    for name, value in masks.items():
        np.testing.assert_array_equal(same[name], value, err_msg=name)


def last_checkpoint(folder):
    found = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(max(folder.glob("checkpoints/epoch_*/*.h5"))) as file:
        file.visititems(add)
    return found
