"""Milliseconds of a network's training step and of its parts, on random images.

    python -m tools.benchmarks.training_step --image_size=256x320 --num_classes=11

The network is the largest one that a search of the space can find. It is timed without a teacher
and with distillation from the largest teacher. Parts take turns, so that varying load affects all
of them alike; each number is a median. "Forward + backward" times a forward pass and the gradient
of the summed logits: "heads" before they are resized, "full size" after. "products_ms" is the time
that the multiply-accumulates of a step (three times those of the deployed network) would take at
the speed of large matrix products on this machine.
"""

from tools import command  # isort: skip

import dataclasses
import json
import statistics
import time
from collections.abc import Callable

import psutil
import tabulate
from absl import flags

from flags import settings_flags
from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.files import write_json
from keras_fasterseg.settings.training import TrainSettings

NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Number of classes.", lower_bound=1)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 6, "Images per step.", lower_bound=1)
IMAGE_SIZE = flags.DEFINE(
    settings_flags.SizeParser(), "image_size", (128, 128), "Height x width of the images."
)
STEPS = flags.DEFINE_integer("steps", 20, "Number of timed steps.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the numbers to.")
settings_flags.define_space()
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    space = settings_flags.read_space()
    facts = {
        "space": space.name,
        **dataclasses.asdict(space.settings),
        "images": [BATCH_SIZE.value, *IMAGE_SIZE.value, 3],
        "num_classes": NUM_CLASSES.value,
        "steps": STEPS.value,
        "products_ms": _products_ms(space),
        "available_cores": available_cores().logical,
        "cpu_quota": available_cores().quota,
        "load_average_before": psutil.getloadavg()[0],
        "command": command.line(),
    }
    results = {
        name: _medians_ms(_parts(space, distilled))
        for name, distilled in (("alone", False), ("distilled", True))
    }
    rows = [(name, *(f"{ms:.1f}" for ms in parts.values())) for name, parts in results.items()]
    headers = ("student", *(f"{part} ms" for part in results["distilled"]))
    print(tabulate.tabulate(rows, headers=headers, disable_numparse=True))
    print(json.dumps(facts))
    if OUTPUT.value:
        write_json(OUTPUT.value, {**facts, "results_ms": results})


def _products_ms(space) -> float | None:
    from keras_fasterseg.benchmark.matrix_peak import measure_matrix_peak
    from keras_fasterseg.spaces.cost import network_work

    peak = measure_matrix_peak()
    if peak is None:
        return None
    work = network_work(space.largest_genotype(), IMAGE_SIZE.value, NUM_CLASSES.value)
    return 1000 * 3 * BATCH_SIZE.value * work.macs / peak.macs_per_second


def _parts(space, distilled: bool) -> dict[str, Callable[[], object]]:
    """Functions that compute one part and wait for it, by name, in the order of the table."""
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_fasterseg.jobs.train import make_trainer
    from keras_fasterseg.spaces.roles import TEACHER

    keras.utils.set_random_seed(0)
    classes = NUM_CLASSES.value
    network = space.build(space.largest_genotype(), classes, auxiliary_heads=True)
    teacher = space.build(space.largest_genotype(TEACHER), classes) if distilled else None
    trainer = make_trainer(network, teacher, TrainSettings(), steps_per_epoch=STEPS.value)
    heads = keras.Model(
        network.input,
        {name: logits._keras_history.operation.input for name, logits in network.output.items()},
    )
    generator = np.random.default_rng(0)
    shape = (BATCH_SIZE.value, *IMAGE_SIZE.value)
    images = tf.constant(generator.standard_normal((*shape, 3), "float32"))
    labels = tf.constant(generator.integers(0, classes, shape, "int32"))
    weights = [variable.value for variable in network.trainable_variables]

    def forward():
        return tf.nest.map_structure(tf.reduce_sum, network(images, training=True))

    def forward_backward(model):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            total = tf.add_n([tf.reduce_sum(each) for each in logits.values()])
        return [tf.reduce_sum(gradient) for gradient in tape.gradient(total, weights)]

    logits = network(images, training=False)
    soft = None if teacher is None else teacher(images, training=False)

    def loss():
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = trainer.loss_of(labels, logits, soft)
        gradients = tape.gradient(value, logits)
        return tf.nest.map_structure(tf.reduce_sum, gradients)

    parts = {
        "forward": forward,
        "forward + backward, heads": lambda: forward_backward(heads),
        "forward + backward, full size": lambda: forward_backward(network),
        "loss": loss,
        "step": lambda: trainer.train_step((images, labels)),
    }

    def finished(part: Callable[[], object]) -> Callable[[], object]:
        compiled = tf.function(part, autograph=False, jit_compile=False)
        return lambda: tf.nest.map_structure(np.asarray, compiled())

    return {name: finished(part) for name, part in parts.items()}


def _medians_ms(parts: dict[str, Callable[[], object]]) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    # The first two rounds do not count: they trace, and allocate memory.
    for number in range(STEPS.value + 2):
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            if number > 1:
                seconds[name].append(time.perf_counter() - start)
    return {name: 1000 * statistics.median(each) for name, each in seconds.items()}


if __name__ == "__main__":
    command.run(main)
