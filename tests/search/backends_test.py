"""Steps of pretraining and search have the same losses on every backend that can train them."""

import dataclasses
import json
import pathlib

import keras
import numpy as np

from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from keras_fasterseg.run.optimizers import (
    architecture_optimizer,
    pretraining_optimizer,
    search_optimizer,
)
from keras_fasterseg.search.search_trainer import SearchTrainer
from keras_fasterseg.search.supernet_pretrainer import SupernetPretrainer
from keras_fasterseg.settings.training import PretrainSettings, SearchSettings
from keras_fasterseg.spaces.registry import make_space
from tests.backends import fixed_draws, fixed_weights, images_and_labels, step_logs
from tests.conformance.spaces import tiny_space

FIXTURES = pathlib.Path("tests/fixtures")

CLASSES, SIZE, STEPS = 3, (64, 64), 20
EXPECTED = FIXTURES / "backends.json"


def space_without_dropout(name):
    space = tiny_space(name)
    if name == "joint":
        settings = dataclasses.replace(space.settings, early_dropout=0.0, late_dropout=0.0)
        space = make_space(name, settings)
    return space


def model_of(space):
    keras.utils.set_random_seed(0)
    model = space.search_model(CLASSES, seed=0)
    fixed_weights(model.supernet.trainable_variables)
    generator = np.random.default_rng(1)
    for architecture in model.architectures.values():
        for variable in architecture.trainable_variables:
            variable.assign(generator.normal(size=variable.shape))
    return model


def batches(count=3):
    return [images_and_labels(seed, CLASSES, SIZE) for seed in range(count)]


def random_table(space):
    """Latencies from .1 to 1 ms."""
    generator = np.random.default_rng(0)
    times = {key: generator.uniform(0.1, 1.0) for key in space.measured_keys(SIZE, CLASSES)}
    rows = {key: LatencyRow(ms, ms, ms, 0) for key, ms in times.items()}
    fingerprint = Fingerprint("none", "none", "none", "float32", None, 0)
    return LatencyTable(rows, TableMetadata(space.name, SIZE, fingerprint))


def pretraining_logs(name):
    model = model_of(space_without_dropout(name))
    settings = PretrainSettings(learning_rate=0.02)
    trainer = SupernetPretrainer(model, seed=0)
    trainer.compile(pretraining_optimizer(settings, STEPS))
    trainer.optimizer.build(model.supernet.trainable_variables)
    with fixed_draws():
        return step_logs(trainer, batches(), STEPS), model


def search_logs(name):
    space = space_without_dropout(name)
    model = model_of(space)
    table = random_table(space)
    settings = SearchSettings(learning_rate=0.02, architecture_learning_rate=0.1)
    trainer = SearchTrainer(
        model,
        space.penalty(table, CLASSES, 20.0),
        penalty_weight=0.5,
        single_level=space.single_level,
    )
    trainer.compile(search_optimizer(settings, STEPS), architecture_optimizer(settings))
    data = batches()
    if not space.single_level:
        data = list(zip(data, data[1:] + data[:1], strict=True))
    with fixed_draws():
        return step_logs(trainer, data, STEPS), model


def summary(logs, model):
    statistics = [
        float(np.abs(np.array(each)).mean())
        for each in model.supernet.variables
        if not each.trainable
    ]
    choices = [
        np.array(each).ravel()[:8].tolist()
        for architecture in model.architectures.values()
        for each in architecture.trainable_variables
    ]
    return {"logs": logs, "statistics": statistics, "architecture": choices}


RUNS = {
    "pretraining fasterseg": lambda: pretraining_logs("fasterseg"),
    "search fasterseg": lambda: search_logs("fasterseg"),
    "search joint": lambda: search_logs("joint"),
}

if __name__ == "__main__":
    import sys
    import time

    out = {}
    for k, f in RUNS.items():
        t = time.time()
        out[k] = summary(*f())
        print(k, time.time() - t, {n: (v[0], v[-1]) for n, v in out[k]["logs"].items()}, flush=True)
    json.dump(out, open(sys.argv[1], "w"))
