"""A step of every stage by arithmetic: its work by the machine's rates, and its memory.

The constants were fitted in float32 on two cores of an AMD EPYC with AVX-512 (TensorFlow 2.21).
Those of memory rest on steps that `probe_steps` measured, each in a process of its own (4 to 16
layers, 2 to 12 base filters, crops of 64x64 to 512x1024), and are within 15 % of them. Those of
time rest on the stages of one run of the demo, within 20 %, and on supernets of 16 layers. Other
precisions and GPUs are assumed to be alike.
"""

import dataclasses
import math

from keras_fasterseg.jobs.estimation.measurement import Measurement
from keras_fasterseg.jobs.estimation.speed import MachineSpeed
from keras_fasterseg.jobs.estimation.stage_costs import (
    FORWARDS_A_PASS,
    FROZEN_SHARE,
    SETTINGS_A_STEP,
)
from keras_fasterseg.jobs.measure_latency import (
    SECONDS_A_MINUTE,
    measured_keys,
    meter_schedule,
)
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.setting import Size
from keras_fasterseg.settings.stages import (
    LatencySettings,
    PretrainSettings,
    SearchSettings,
    TrainSettings,
)
from keras_fasterseg.spaces.fasterseg.plan import plan_network
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.fasterseg.work import (
    Work,
    cells_work,
    network_work,
    operations_work,
    stem_and_heads_work,
)
from keras_fasterseg.spaces.genotype import Genotype

VALUE_BYTES = 4
"""Of a float32."""

CONVOLUTION_RATE = 1.4
"""Rate of convolutions on a CPU in that of small matrix products: their larger ones are quicker."""

ELEMENT_COPIES = 19
"""Time to normalize and rectify the output of a convolution, forward alone, in copies of it."""

LOGIT_COPIES = 7
"""Time of full-size logits in copies of them: enlarged, compared, and both backwards."""

DISTILLATION_COPIES = 25
"""Time of the distillation, in copies of the teacher's logits."""

OPERATION_SECONDS = 9e-4
"""Time to start an operation's kernels, forward alone."""

TRACING_SECONDS = 4.0
"""Time to build and trace a step of a network, without what its operations add."""

OPERATION_TRACING_SECONDS = 0.12
"""Time that an operation adds to that."""

PROCESS_BYTES = 750_000_000
"""Memory of a process that has traced a small network, with TensorFlow in it."""

WEIGHT_COPIES = 6
"""Memory of a network's weights, momenta, gradients and temporaries, in copies of the weights."""

ELEMENTS_KEPT = 1.4
"""Memory of the values that a step keeps, in copies of the convolutions' outputs."""

LOGITS_KEPT = 2.8
"""Memory of full-size logits, their probabilities and gradients, in copies of them."""

TEACHER_LOGITS_KEPT = 2.8
"""Memory of the distillation, in copies of the teacher's logits."""

TEACHER_BYTES = 50_000_000
"""Memory of the process for the graph of a teacher."""

SUPERNET_COPIES = 10
"""Time that a pass takes for the weights of the supernet, in copies of them."""

SUPERNET_BYTES = 890_000_000
"""Memory of a process that has traced a pass of a small supernet."""

FROZEN_PASS_BYTES = 200_000_000
"""Memory of a second pass, that of the architectures."""

SUPERNET_WEIGHT_COPIES = 4.4
"""As `WEIGHT_COPIES`, of the supernet: each weight is one of a hundred large stacks."""

SUPERNET_ELEMENTS_KEPT = 2.3
"""As `ELEMENTS_KEPT`, of the supernet: masks and sums are kept too."""

SUPERNET_TRACING_SECONDS = 12.0
"""Time to build and trace a step of the supernet, without what its operations add."""

SUPERNET_OPERATION_SECONDS = 0.01
"""Time that an operation adds to that; all of one shape are traced once."""

ROW_SECONDS = 0.25
"""Time to make the two graphs of an operation of the latency table."""

CALL_SECONDS = 5e-4
"""Time to call a graph, whatever is in it."""

ROW_OPERATION_SECONDS = 1e-4
"""As `OPERATION_SECONDS`, of an operation as it is exported."""

SERVING_COPIES = 13
"""Time to enlarge logits and to choose classes, in copies of the full-size logits."""

ROW_ELEMENT_COPIES = 1.2
"""Time of an operation's own output in copies of it, as it is exported."""

ROW_SPREAD = 0.02
"""Standard deviation of the measurements of an operation, as a share."""

CALL_SPREAD_SECONDS = 3e-5
"""Standard deviation of the measurements of an operation that takes no time."""


def operations_step(
    supernet: FasterSegSettings, settings: LatencySettings, num_classes: int, speed: MachineSpeed
) -> Measurement:
    """The mean row of a latency table."""
    keys = measured_keys(supernet, settings.latency_size, num_classes)
    rows = [row_seconds(key, settings, speed) for key in keys]
    seconds = sum(enough for _, enough in rows)
    if settings.latency_time_budget is not None:
        least = sum(each for each, _ in rows)
        seconds = max(least, min(seconds, SECONDS_A_MINUTE * settings.latency_time_budget))
    return Measurement(0.0, seconds / len(keys), PROCESS_BYTES)


def row_seconds(key: OpKey, settings: LatencySettings, speed: MachineSpeed) -> tuple[float, float]:
    """Time of a row of the table: with the least measurements, and with those of its precision.

    The 95 % interval of the median of n measurements of standard deviation s reaches
    1.96 * sqrt(pi / 2) * s / sqrt(n) to either side.
    """
    schedule = meter_schedule(settings)
    if key.operation == "serving":
        # It is timed by itself, without an empty graph to compare with.
        logits = key.height * key.width * key.out_filters
        calls, copies = 1, 1
        operation = _copy_seconds(SERVING_COPIES * logits, speed)
    else:
        work = operations_work([key])
        operation = ROW_OPERATION_SECONDS + _copy_seconds(ROW_ELEMENT_COPIES * work.elements, speed)
        operation += _convolution_seconds(work.macs, speed)
        calls = 2
        copies = min(schedule.max_copies, math.ceil(schedule.copies_ms / (1000 * operation)))
    spread = ROW_SPREAD + CALL_SPREAD_SECONDS / operation
    enough = math.ceil((1.96 * math.sqrt(math.pi / 2) * spread / schedule.precision) ** 2)
    repetitions = max(schedule.min_repetitions, min(schedule.max_repetitions, enough))
    least, all_of_them = (
        ROW_SECONDS + (schedule.warmup + count) * (calls * CALL_SECONDS + copies * operation)
        for count in (schedule.min_repetitions, repetitions)
    )
    return least, all_of_them


def pretrain_step(
    supernet: FasterSegSettings, settings: PretrainSettings, num_classes: int, speed: MachineSpeed
) -> Measurement:
    """A step of pretraining."""
    work = _supernet_work(supernet, settings.crop_size, num_classes)
    images = SETTINGS_A_STEP * settings.batch_size
    seconds = _supernet_pass_seconds(work, images, speed)
    return _supernet_step(work, images, seconds, SUPERNET_BYTES, speed)


def search_step(
    supernet: FasterSegSettings, settings: SearchSettings, num_classes: int, speed: MachineSpeed
) -> Measurement:
    """A step of the search: one of the weights and one of the architectures."""
    work = _supernet_work(supernet, settings.crop_size, num_classes)
    images = SETTINGS_A_STEP * settings.batch_size
    seconds = (1 + FROZEN_SHARE) * _supernet_pass_seconds(work, images, speed)
    return _supernet_step(work, images, seconds, SUPERNET_BYTES + FROZEN_PASS_BYTES, speed)


def training_step(
    genotype: Genotype,
    teacher: Genotype | None,
    settings: TrainSettings,
    num_classes: int,
    speed: MachineSpeed,
) -> Measurement:
    """A step of training a derived network, beside the network of `teacher` if there is one."""
    work = network_work(genotype, settings.crop_size, num_classes)
    images = settings.batch_size
    logits = images * math.prod(settings.crop_size) * num_classes
    predictions = 1 + len(plan_network(genotype).auxiliary)
    seconds = pass_seconds(work, images, speed)
    seconds += _copy_seconds(LOGIT_COPIES * predictions * logits, speed)
    kept = ELEMENTS_KEPT * images * work.elements + LOGITS_KEPT * predictions * logits
    operations, process_bytes = work.operations, PROCESS_BYTES
    if teacher is not None:
        frozen = network_work(teacher, settings.crop_size, num_classes, training=False)
        seconds += pass_seconds(frozen, images, speed, forwards=1)
        seconds += _copy_seconds(DISTILLATION_COPIES * logits, speed)
        kept += TEACHER_LOGITS_KEPT * logits + frozen.trainable
        operations += frozen.operations
        process_bytes += TEACHER_BYTES
    slots = 1 + (settings.ema_momentum is not None) + (settings.accumulation_steps > 1)
    kept += (WEIGHT_COPIES + slots - 1) * work.trainable
    tracing = TRACING_SECONDS + OPERATION_TRACING_SECONDS * operations
    return _measurement(tracing, seconds, work, kept, slots, process_bytes, speed)


def pass_seconds(
    work: Work, images: int, speed: MachineSpeed, forwards: int = FORWARDS_A_PASS
) -> float:
    """Time of a pass of `images` images.

    Args:
        work: That of one image.
        images: Their number.
        speed: The machine's.
        forwards: The pass in passes forward: with its gradients three.
    """
    macs = _convolution_seconds(work.macs * images, speed)
    elements = _copy_seconds(ELEMENT_COPIES * work.elements * images, speed)
    return forwards * (macs + elements + OPERATION_SECONDS * work.operations)


def _convolution_seconds(macs: float, speed: MachineSpeed) -> float:
    """Time of `macs` multiply-accumulates; the products that measure a GPU's rate are large."""
    rate = CONVOLUTION_RATE if speed.device == "CPU" else 1.0
    return macs / (rate * speed.macs_per_second)


def _copy_seconds(values: float, speed: MachineSpeed) -> float:
    """Time to copy `values` values."""
    return VALUE_BYTES * values / speed.copied_bytes_per_second


def _supernet_work(supernet: FasterSegSettings, size: Size, num_classes: int) -> Work:
    """A pass of one image of one setting with the teacher's stem and heads, the larger ones.

    Its weights are those of the whole supernet, the student's stem and heads too.
    """
    filters = supernet.base_filters
    cells = cells_work(supernet.num_layers, filters, supernet.width_multipliers, size)
    work = cells + stem_and_heads_work(filters, 1.0, size, num_classes)
    student = stem_and_heads_work(filters, supernet.student_width, size, num_classes)
    return dataclasses.replace(
        work,
        trainable=work.trainable + student.trainable,
        statistics=work.statistics + student.statistics,
    )


def _supernet_pass_seconds(work: Work, images: int, speed: MachineSpeed) -> float:
    return pass_seconds(work, images, speed) + _copy_seconds(
        SUPERNET_COPIES * work.trainable, speed
    )


def _supernet_step(
    work: Work, images: int, step_seconds: float, process_bytes: int, speed: MachineSpeed
) -> Measurement:
    tracing = SUPERNET_TRACING_SECONDS + SUPERNET_OPERATION_SECONDS * work.operations
    kept = SUPERNET_WEIGHT_COPIES * work.trainable + SUPERNET_ELEMENTS_KEPT * images * work.elements
    return _measurement(tracing, step_seconds, work, kept, 1, process_bytes, speed)


def _measurement(
    tracing_seconds: float,
    step_seconds: float,
    weights: Work,
    kept: float,
    slots: int,
    process_bytes: int,
    speed: MachineSpeed,
) -> Measurement:
    """The step as a measurement of it.

    Args:
        tracing_seconds: Time before the first step.
        step_seconds: Time of one.
        weights: Counts the weights.
        kept: Values that a step keeps, weights included.
        slots: Values that the optimizer keeps for each weight.
        process_bytes: Memory of the process besides.
        speed: The machine's; with a GPU the step's memory is the GPU's.
    """
    step_bytes = round(VALUE_BYTES * kept)
    weight_bytes = VALUE_BYTES * (weights.trainable + weights.statistics)
    on_cpu = speed.device == "CPU"
    return Measurement(
        tracing_seconds + step_seconds,
        step_seconds,
        process_bytes + (step_bytes if on_cpu else weight_bytes),
        None if on_cpu else step_bytes,
        weight_bytes,
        VALUE_BYTES * slots * weights.trainable,
    )
