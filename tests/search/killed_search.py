"""A search that is killed after an epoch and resumed, compared with one that is not."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager

import h5py
import numpy as np
import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.jobs.search import search
from keras_fasterseg.jobs.search_pictures import SearchPictures
from keras_fasterseg.run.run import Run
from keras_fasterseg.settings.search import SearchSettings
from keras_fasterseg.settings.stages import DataSettings
from keras_fasterseg.spaces.base import SearchSpace
from keras_fasterseg.spaces.genotype import Genotype
from tests.run.latency_rows import random_table
from tests.search.tiny_space import functions_run_eagerly

SIZE = (64, 64)


def assert_resumes(
    folder,
    space: SearchSpace,
    settings: SearchSettings,
    killed_after: int,
    running: Callable[[], AbstractContextManager] = functions_run_eagerly,
) -> tuple[list[dict], dict[str, Genotype]]:
    """Searches twice and compares genotypes, records and checkpoints, bit for bit.

    A copy of the folder after `killed_after` epochs stands in for the killed search. By default
    functions run eagerly: a few steps cost less than to trace one.

    Returns:
        The records of the epochs, and the genotypes by role.
    """
    data = DataSettings(synthetic_train_images=3, synthetic_val_images=1, synthetic_size=SIZE)
    source = Run(folder, data).source
    table = random_table(space, SIZE, source.num_classes)
    whole, killed = folder / "whole", folder / "killed"

    def copy(self, epoch, logs=None):
        if epoch == killed_after and not killed.exists():
            shutil.copytree(whole, killed)

    results = []
    with pytest.MonkeyPatch.context() as patch, running():
        patch.setattr(SearchPictures, "on_epoch_begin", copy)
        patch.setattr(SearchPictures, "on_epoch_end", lambda self, epoch, logs=None: None)
        for each in (whole, killed):
            each.mkdir(exist_ok=True)
            results.append(search(each, source, data, space, settings, table, None, seed=0))
    assert results[0] == results[1]
    records = [read_json(each / "search.json") for each in (whole, killed)]
    assert [len(each) for each in records] == [settings.epochs] * 2
    assert records[0] == records[1]
    first, second = (
        _contents(max(each.glob("checkpoints/epoch_*/*.h5"))) for each in (whole, killed)
    )
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)
    return records[0], results[0]


def _contents(path) -> dict[str, np.ndarray]:
    """Everything in a checkpoint: weights, architectures, optimizers, metrics."""
    found = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(add)
    assert found
    return found
