"""Trainings whose losses must be the same on every backend, and the files of their records.

    python -m tests.backends.trainings

writes the losses (with TensorFlow only) and a checkpoint of every training with Keras's backend to
`tests/backends/recorded`.
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.resize import Resize
from keras_fasterseg.run.optimizers import (
    architecture_optimizer,
    pretraining_optimizer,
    search_optimizer,
    training_optimizer,
)
from keras_fasterseg.search.search_trainer import SearchTrainer
from keras_fasterseg.search.supernet_pretrainer import SupernetPretrainer
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.training import TrainSettings
from keras_fasterseg.spaces.registry import make_space
from keras_fasterseg.training.distillation_trainer import DistillationTrainer
from tests.backends.reproducible import CLASSES, SIZE, batches, fix_weights, fixed_draws, step_logs
from tests.conformance.spaces import tiny_space
from tests.conformance.toy_space import ToySpace

RECORDED = pathlib.Path(__file__).parent / "recorded"
STEPS, BEFORE = 20, 3
"""Steps of a record, and steps before its checkpoint."""


# === Derived networks ===

TRAININGS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "adam": {"optimizer": "adam", "learning_rate": 0.003, "schedule": "polynomial"},
    "accumulated": {"accumulation_steps": 2, "ema_momentum": 0.9, "warmup_epochs": 2.0},
    "adamw": {
        "optimizer": "adamw",
        "learning_rate": 0.003,
        "weight_decay": 0.5,
        "decay_kernels_only": True,
        "schedule": "cosine",
        "accumulation_steps": 2,
    },
    "distilled": {},
    "distilled channels": {"distillation": "channel", "distillation_temperature": 4.0},
}


def small_network(auxiliary: bool) -> keras.Model:
    """Two heads at 1/8."""
    images = keras.Input((*SIZE, 3))
    features = ConvBatchNorm(8, 3, 2)(ConvBatchNorm(8, 3, 2)(ConvBatchNorm(4, 3, 2)(images)))
    outputs = {}
    for name in ("scale_8", "auxiliary"):
        outputs[name] = Resize(8)(keras.layers.Conv2D(CLASSES, 1)(features))
        features = ConvBatchNorm(8, 3)(features)
    return keras.Model(images, outputs if auxiliary else outputs["scale_8"])


def trainer_of_network(name: str) -> DistillationTrainer:
    """The trainer of one of `TRAININGS`."""
    settings = TrainSettings(epochs=STEPS, **{"learning_rate": 0.05, **TRAININGS[name]})
    network, teacher = small_network(auxiliary=True), None
    fix_weights(network.trainable_variables)
    if name.startswith("distilled"):
        teacher = small_network(auxiliary=False)
        fix_weights(teacher.trainable_variables, seed=1)
    trainer = DistillationTrainer(
        network,
        teacher,
        distillation=settings.distillation,
        distillation_temperature=settings.distillation_temperature,
        class_weights=(1.0, 2.0, 0.5),
    )
    optimizer = training_optimizer(settings, 1, network.trainable_variables)
    trainer.compile(optimizer)
    return trainer


# === Supernets ===

# Batch statistics of a few values amplify roundoff: at 64x64, some are of two values.
SUPERNET_SIZE = (128, 128)
RATE = 1e-3
SUPERNETS = (
    "pretraining fasterseg",
    "search fasterseg",
    "search joint",
    "search gas",
    "search toy",
)


def trainer_of_supernet(name: str) -> SupernetPretrainer | SearchTrainer:
    """The trainer of one of `SUPERNETS`."""
    stage, _, space_name = name.partition(" ")
    space = ToySpace() if space_name == ToySpace.name else tiny_space(space_name)
    if name == "pretraining fasterseg":
        # JAX scans equal layers: the fourth and the fifth of six.
        space = make_space("fasterseg", dataclasses.replace(space.settings, num_layers=6))
    if space_name == "gas":
        # JAX scans equal cells: the third and the fourth of four.
        space = make_space("gas", dataclasses.replace(space.settings, reductions=(0,)))
    if space_name == "joint":
        # Random masks would differ.
        settings = dataclasses.replace(space.settings, early_dropout=0.0, late_dropout=0.0)
        space = make_space("joint", settings)
    model = space.search_model(CLASSES, seed=0)
    fix_weights(model.supernet.trainable_variables)
    generator = np.random.default_rng(1)
    for architecture in model.architectures.values():
        for variable in architecture.trainable_variables:
            variable.assign(generator.normal(size=tuple(variable.shape)))
    if stage == "pretraining":
        trainer = SupernetPretrainer(model, seed=0)
        trainer.compile(pretraining_optimizer(PretrainSettings(learning_rate=RATE), STEPS))
        trainer.optimizer.build(model.supernet.trainable_variables)
        return trainer
    # Adam's steps do not depend on the size of gradients, which at this size are partly noise.
    settings = SearchSettings(epochs=STEPS, learning_rate=RATE, architecture_learning_rate=1e-3)
    penalty = space.penalty(random_table(space), CLASSES, 20.0)
    trainer = SearchTrainer(model, penalty, penalty_weight=0.5, single_level=space.single_level)
    trainer.compile(search_optimizer(settings, STEPS), architecture_optimizer(settings))
    return trainer


def random_table(space) -> LatencyTable:
    """Latencies from .1 to 1 ms."""
    generator = np.random.default_rng(0)
    times = {key: generator.uniform(0.1, 1.0) for key in space.measured_keys(SIZE, CLASSES)}
    rows = {key: LatencyRow(ms, ms, ms, 0) for key, ms in times.items()}
    fingerprint = Fingerprint("none", "none", "none", "float32", None, 0)
    return LatencyTable(rows, TableMetadata(space.name, SIZE, fingerprint))


# === Records ===

RESUMED = ("accumulated", "adam", "search toy")
"""Trainings with a checkpoint."""


def logs_of(name: str, trainer: Any, first: int = 0, steps: int = STEPS) -> dict[str, list]:
    """Metrics of `steps` steps from step `first` on."""
    data: list[Any] = batches(SIZE if name in TRAININGS else SUPERNET_SIZE)
    if name.startswith("search") and not trainer.single_level:
        data = list(zip(data, data[1:] + data[:1], strict=True))
    with fixed_draws():
        return step_logs(trainer, data, first, steps)


def make_trainer(name: str) -> Any:
    """The trainer of one of `TRAININGS` or `SUPERNETS`."""
    make: Callable = trainer_of_network if name in TRAININGS else trainer_of_supernet
    return make(name)


def momentum_norms(trainer: SearchTrainer) -> list[float]:
    """Norms of Adam's first averages of the gradients of all architecture parameters."""
    slots = trainer.architecture_optimizer.variables
    return [
        float(np.linalg.norm(keras.ops.convert_to_numpy(each)))
        for each in slots
        if each.path.endswith("momentum")
    ]


def recorded(name: str) -> Any:
    """Metrics of every step on TensorFlow, or `momentum_norms` after the first step."""
    return json.loads((RECORDED / "losses.json").read_text())[name]


def checkpoint(name: str, backend: str) -> pathlib.Path:
    """Checkpoint of a training after `BEFORE` steps on a backend."""
    return RECORDED / f"{name.replace(' ', '_')}_{backend}.weights.h5"


def _record() -> None:
    RECORDED.mkdir(exist_ok=True)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        losses: dict[str, Any] = {}
        for name in (*TRAININGS, *SUPERNETS):
            trainer = make_trainer(name)
            if name.startswith("search"):
                begin = logs_of(name, trainer, 0, 1)
                losses[f"momentum of {name}"] = momentum_norms(trainer)
                rest = logs_of(name, trainer, 1, STEPS - 1)
                losses[name] = {metric: begin[metric] + rest[metric] for metric in begin}
            else:
                losses[name] = logs_of(name, trainer)
        (RECORDED / "losses.json").write_text(json.dumps(losses, indent=1) + "\n")
    for name in RESUMED[:-1] if backend == "torch" else RESUMED:
        trainer = make_trainer(name)
        logs_of(name, trainer, steps=BEFORE)
        trainer.save_weights(checkpoint(name, backend))


if __name__ == "__main__":
    _record()
