"""What is measured: the trainers that the jobs train, at their shapes."""

import pytest
from keras_fasterseg.search.bilevel_trainer import BilevelTrainer

from keras_fasterseg.jobs.estimation import probe_steps
from keras_fasterseg.latency.operations import multiply_accumulates
from keras_fasterseg.search.supernet_pretrainer import SupernetPretrainer
from keras_fasterseg.settings.stages import (
    LatencySettings,
    PretrainSettings,
    SearchSettings,
    TrainSettings,
)
from keras_fasterseg.spaces.fasterseg.largest import largest_genotype
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.training.distillation_trainer import DistillationTrainer

SUPERNET = FasterSegSettings(4, 2, (0.5, 1.0), 0.5)
SHAPES = {"batch_size": 2, "crop_size": (64, 96)}


@pytest.fixture
def prepared(monkeypatch):
    """What would be measured, by argument; nothing is traced."""
    calls = []

    def measure(start, trainer, batch, steps, model, optimizers):
        names = ("start", "trainer", "batch", "steps", "model", "optimizers")
        values = (start, trainer, batch, steps, model, optimizers)
        calls.append(dict(zip(names, values, strict=True)))

    monkeypatch.setattr(probe_steps, "_measure", measure)
    return calls


def assert_batch(batch, num_classes: int) -> None:
    images, labels = batch
    assert images.shape == (2, 64, 96, 3)
    assert labels.shape == (2, 64, 96)
    assert set(labels.numpy().ravel()) == set(range(num_classes))


def test_pretraining_is_that_of_the_job(prepared):
    settings = PretrainSettings(**SHAPES, clip_norm=2.0, learning_rate=0.5, weight_decay=0.25)
    probe_steps.measure_pretrain(SUPERNET, settings, 3, steps=7)
    (call,) = prepared
    assert isinstance(call["trainer"], SupernetPretrainer)
    assert call["optimizers"][0].global_clipnorm == 2.0
    assert call["model"].num_layers == 4
    assert call["steps"] == 7
    assert_batch(call["batch"], 3)
    assert (call["optimizers"][0].learning_rate, call["optimizers"][0].l2) == (0.5, 0.25)


def test_the_search_is_that_of_the_job(prepared):
    settings = SearchSettings(**SHAPES, penalty_weight=0.5, penalty_shares="auto")
    probe_steps.measure_search(SUPERNET, settings, 3, steps=1)
    (call,) = prepared
    trainer = call["trainer"]
    assert isinstance(trainer, BilevelTrainer)
    for half in call["batch"]:
        assert_batch(half, 3)
    assert float(trainer.penalty_weight) == 0.5
    assert call["optimizers"] == [trainer.optimizer, trainer.architecture_optimizer]
    # Every operation takes 1 ms: each of the three branches has a stem of three and four cells. The
    # band from 155 to 175 frames a second has its target at 1000 / 165 ms.
    penalty = float(trainer.penalty(trainer.student(training=False)))
    assert penalty == pytest.approx(3 * (3 + 4) * 165 / 1000, rel=1e-4)


def test_a_training_is_that_of_the_job(prepared):
    teacher, student = (largest_genotype(4, 2, width) for width in (1.0, 0.5))
    settings = TrainSettings(**SHAPES, auxiliary_weight=0.5, distillation_weight=0.25)
    probe_steps.measure_training(student, teacher, settings, 3, steps=1)
    probe_steps.measure_training(teacher, None, settings, 3, steps=1)
    with_teacher, alone = (call["trainer"] for call in prepared)
    assert isinstance(with_teacher, DistillationTrainer)
    assert with_teacher.network.genotype == student
    assert with_teacher.network.auxiliary_heads
    assert with_teacher.teacher.genotype == teacher
    assert not with_teacher.teacher.auxiliary_heads
    assert not with_teacher.teacher.trainable_variables
    assert (with_teacher.auxiliary_weight, with_teacher.distillation_weight) == (0.5, 0.25)
    assert alone.teacher is None
    assert_batch(prepared[0]["batch"], 3)


def test_rows_are_taken_evenly_from_cheap_to_dear(monkeypatch):
    rows = []

    def make_meter(settings):
        assert (settings.latency_warmup, settings.latency_repetitions) == (1, 2)
        return lambda keys, seconds: rows.extend(keys)

    monkeypatch.setattr(probe_steps, "operation_meter", make_meter)
    settings = LatencySettings(latency_size=(64, 64), latency_warmup=1, latency_repetitions=2)
    result = probe_steps.measure_operations(SUPERNET, settings, 3, count=2)
    work = sorted(map(multiply_accumulates, probe_steps.measured_keys(SUPERNET, (64, 64), 3)))
    # The cheapest before anything is timed, then the middles of the two halves.
    expected = [work[0], work[len(work) // 4], work[3 * len(work) // 4]]
    assert [multiply_accumulates(key) for key in rows] == expected
    assert result.step_seconds > 0
