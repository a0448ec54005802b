"""Computes time and memory of a step of every stage, from its work and the machine's rates.

The constants were fitted in float32 on two cores of an AMD EPYC with AVX-512 (TensorFlow 2.21), to
the stages of the demo and to steps of other supernets and crops. Other precisions and GPUs are
assumed to behave alike.
"""

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping

import numpy as np
from keras import ops

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.benchmark.matrix_peak import matrix_products
from keras_fasterseg.benchmark.timing import measure_callable
from keras_fasterseg.latency.operations import Work, work
from keras_fasterseg.run.latency_tables import meter_schedule
from keras_fasterseg.runtimes.backend_device import backend_device
from keras_fasterseg.settings.stages import LatencySettings, RunSettings
from keras_fasterseg.spaces.base import SearchSpace
from keras_fasterseg.spaces.cost import network_work
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

VALUE_BYTES = 4  # Of a float32.

# Time. The unit `copies` is the time to copy as many float32 values as are processed.
FORWARDS_A_STEP = 3  # Backward takes twice as long as forward.
FROZEN_SHARE = 0.6  # Cost of a pass without kernel gradients (for architectures), in full passes.
CONVOLUTION_RATE = 1.4  # Of a CPU, relative to small matrix products; large ones are faster.
OPERATION_SECONDS = 3e-4  # To start the kernels of an operation, forward only.
ELEMENT_COPIES = 2  # To normalise and rectify a convolution's output, forward only.
SUPERNET_ELEMENT_COPIES = 15  # The supernet also masks and sums.
UPDATE_COPIES = 10  # To update weights.
LOGIT_COPIES = 10  # To resize logits and compute their loss, forward and backward.
DISTILLED_PREDICTIONS = 2  # The distillation costs as much as this many predictions.
TRACING_SECONDS, OPERATION_TRACING_SECONDS = 4.0, 0.2  # Of a network, and per operation.
SUPERNET_TRACING_SECONDS = 13.0
ROW_SECONDS = 0.25  # To build the graphs of a row of the latency table.
CALL_SECONDS = 5e-4  # To call a graph of any size.
ROW_OPERATION_SECONDS = 1e-4  # Like `OPERATION_SECONDS`, in an exported graph.
ROW_SPREAD, CALL_SPREAD_SECONDS = 0.02, 3e-5  # Standard deviation: relative and constant part.

# Memory.
PROCESS_BYTES = 900_000_000  # TensorFlow and a small graph.
WEIGHT_COPIES_KEPT = 4.4  # Weights, momenta, gradients and temporaries.
ELEMENTS_KEPT = 1.4  # Copies of the outputs of convolutions.
SUPERNET_ELEMENTS_KEPT = 2.3
LOGITS_KEPT = 2.8  # Copies of full-size logits, including probabilities and gradients.

# Number of rows of the latency table from which the mean time is computed.
_COUNTED_ROWS = 32
_MATRICES, _SIDE, _GPU_SIDE, _COPIED_BYTES = 32, 64, 4096, 2**26


@dataclasses.dataclass(frozen=True)
class StepCost:
    """Time and memory of a step of a stage, measured or computed.

    Attributes:
        first_seconds: Time of building, tracing and the first step.
        step_seconds: Time of every other step; for a latency table, mean time of a row.
        memory_bytes: Peak memory of the process.
        gpu_bytes: Peak memory of the first GPU; `None` without a GPU.
        weight_bytes: Size of a file of the trained weights.
        slot_bytes: Size of the optimizers' variables.
    """

    first_seconds: float
    step_seconds: float
    memory_bytes: int = PROCESS_BYTES
    gpu_bytes: int | None = None
    weight_bytes: int = 0
    slot_bytes: int = 0


@dataclasses.dataclass(frozen=True)
class MachineSpeed:
    """Rates of the training device.

    Attributes:
        macs_per_second: Float32 multiply-accumulates of convolutions.
        bytes_per_second: Bytes copied per second, for a large array.
        on_gpu: Whether the device is a GPU.
    """

    macs_per_second: float
    bytes_per_second: float
    on_gpu: bool = False

    def copies(self, values: float) -> float:
        """Seconds to copy `values` float32 values."""
        return VALUE_BYTES * values / self.bytes_per_second

    def forward(self, image: Work, images: int, copies: float = ELEMENT_COPIES) -> float:
        """Seconds of a forward pass of `images` images."""
        convolutions = image.macs * images / self.macs_per_second
        elements = self.copies(copies * image.elements * images)
        return convolutions + elements + OPERATION_SECONDS * image.operations


def measure_speed(threads: int | None = None) -> MachineSpeed:
    """Measures the speed of the first GPU that Keras's backend sees, or else of the CPU.

    The fastest of many repetitions counts. On a CPU only numpy runs, because a backend may not
    change its number of threads once it has run. Small matrices run on one core, so that other
    programs cannot delay a thread for which the others wait; every physical core within the quota
    is assumed to be as fast.

    Args:
        threads: CPU threads to request from the backend before a GPU starts it, because it cannot
            change them afterwards: those of the latency table. None lets it choose.

    Raises:
        ValueError: The backend already runs with another number of threads.
    """

    def seconds(function: Callable[[], object]) -> float:
        return min(measure_callable(function, warmup=1, min_repetitions=3, min_seconds=0.2))

    source = np.ones(_COPIED_BYTES // VALUE_BYTES, np.float32)
    device = backend_device()
    if device.device_name() != "CPU":
        device.request_threads(threads)
        (product,) = matrix_products("GPU", threads).values()
        rate = _GPU_SIDE**3 / seconds(product(_GPU_SIDE))
        there = ops.convert_to_tensor(source)
        copy = seconds(lambda: device.synchronize(ops.negative(there)))
        return MachineSpeed(rate, _COPIED_BYTES / copy, on_gpu=True)
    matrices = np.ones((_MATRICES, _SIDE, _SIDE), np.float32)
    target, products = np.empty_like(source), np.empty_like(matrices)
    rate = _MATRICES * _SIDE**3 / seconds(lambda: np.matmul(matrices, matrices, out=products))
    return MachineSpeed(
        CONVOLUTION_RATE * available_cores().physical_threads * rate,
        _COPIED_BYTES / seconds(lambda: np.copyto(target, source)),
    )


def computed_step(
    stage: str,
    settings: RunSettings,
    num_classes: int,
    genotypes: Mapping[str, Genotype],
    speed: MachineSpeed,
) -> StepCost:
    """Computes a step of a stage at the machine's speed; for other arguments see `measure_step`."""
    space, own = settings.space, getattr(settings, stage)
    if stage == "latency":
        keys = space.measured_keys(own.latency_size, num_classes)
        sample = keys[:: -(-len(keys) // _COUNTED_ROWS)]
        budget = math.inf
        if own.latency_time_budget is not None:
            budget = 60 * own.latency_time_budget / len(keys)
        rows = [row_seconds(work(key), own, speed, budget) for key in sample]
        return StepCost(0.0, statistics.mean(rows))
    if stage in ("pretrain", "search"):
        image = space.supernet_work(own.crop_size, num_classes)
        images = space.settings_a_step * own.batch_size
        seconds = _pass_seconds(image, images, speed, SUPERNET_ELEMENT_COPIES)
        seconds *= passes_of(stage, space)
        kept = SUPERNET_ELEMENTS_KEPT * images * image.elements
        slots = 1 + (stage == "search" and own.optimizer == "adam")
        return _cost(SUPERNET_TRACING_SECONDS, seconds, kept, image, slots, speed)
    genotype, images = genotypes[stage], own.batch_size
    image = network_work(genotype, own.crop_size, num_classes, training=True)
    logits = images * math.prod(own.crop_size) * num_classes
    keys = [key for each in space.stages(genotype, own.crop_size, num_classes) for key in each.keys]
    predictions = sum(key.operation == "head" for key in keys)
    seconds = _pass_seconds(image, images, speed)
    kept = ELEMENTS_KEPT * images * image.elements + LOGITS_KEPT * predictions * logits
    operations = image.operations
    if stage == STUDENT and TEACHER in genotypes:
        teacher = network_work(genotypes[TEACHER], own.crop_size, num_classes)
        predictions += DISTILLED_PREDICTIONS
        seconds += speed.forward(teacher, images)
        kept += LOGITS_KEPT * logits + teacher.trainable
        operations += teacher.operations
    seconds += speed.copies(LOGIT_COPIES * predictions * logits)
    extras = (own.optimizer == "adam", own.ema_momentum is not None, own.accumulation_steps > 1)
    slots = 1 + sum(extras)
    tracing = TRACING_SECONDS + OPERATION_TRACING_SECONDS * operations
    return _cost(tracing, seconds, kept, image, slots, speed)


def passes_of(stage: str, space: SearchSpace) -> float:
    """Number of passes per step; a search may have an additional one, for the architectures."""
    return 1 + FROZEN_SHARE if stage == "search" and not space.single_level else 1.0


def row_seconds(
    operation: Work, settings: LatencySettings, speed: MachineSpeed, budget: float = math.inf
) -> float:
    """Time to measure an operation of the latency table until its precision is reached.

    The 95 % interval of the median of n measurements with standard deviation s extends
    1.96 * sqrt(pi / 2) * s / sqrt(n) to either side. Measuring ends when `budget`, in seconds, is
    spent, but not before the minimum number of repetitions.
    """
    schedule = meter_schedule(settings)
    seconds = operation.macs / speed.macs_per_second + speed.copies(operation.elements)
    seconds += ROW_OPERATION_SECONDS
    spread = ROW_SPREAD + CALL_SPREAD_SECONDS / seconds
    enough = math.ceil((1.96 * math.sqrt(math.pi / 2) * spread / schedule.precision) ** 2)
    repetitions = max(schedule.min_repetitions, min(schedule.max_repetitions, enough))
    copies = min(schedule.max_copies, math.ceil(schedule.copies_ms / (1000 * seconds)))
    both = 2 * CALL_SECONDS + copies * seconds
    least, enough_seconds = (
        ROW_SECONDS + (schedule.warmup + count) * both
        for count in (schedule.min_repetitions, repetitions)
    )
    return max(least, min(enough_seconds, budget))


def _pass_seconds(
    image: Work, images: int, speed: MachineSpeed, copies: float = ELEMENT_COPIES
) -> float:
    weights = speed.copies(UPDATE_COPIES * image.trainable)
    return FORWARDS_A_STEP * speed.forward(image, images, copies) + weights


def _cost(
    tracing: float, seconds: float, kept: float, image: Work, slots: int, speed: MachineSpeed
) -> StepCost:
    """Cost of a step that keeps `kept` values in addition to its weights, with `slots` each."""
    step = round(VALUE_BYTES * (kept + (WEIGHT_COPIES_KEPT + slots - 1) * image.trainable))
    weights = VALUE_BYTES * (image.trainable + image.statistics)
    return StepCost(
        tracing + seconds,
        seconds,
        PROCESS_BYTES + (weights if speed.on_gpu else step),
        step if speed.on_gpu else None,
        weights,
        VALUE_BYTES * slots * image.trainable,
    )
