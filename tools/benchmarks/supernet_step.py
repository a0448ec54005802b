"""Seconds and memory of a training step of the full supernet, on random images.

Each job runs in a separate process, so that its peak memory can be measured. "First step" includes
tracing; "step" is the median of the following steps. For a search space that prunes, "pruned step"
is the same after pruning until nothing more is removed, from random architecture parameters.
"""

from tools import command  # isort: skip

import dataclasses
import json
import multiprocessing
import pathlib
import resource
import statistics
import time

import psutil
import tabulate
from absl import flags

from flags import settings_flags
from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.files import write_json

JOBS = ("pretrain", "search")

NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Number of classes.")
BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 2, "Images per step from each of the two halves of the training set."
)
IMAGE_SIZE = flags.DEFINE(
    settings_flags.SizeParser(), "image_size", (128, 256), "Height x width of the images."
)
STEPS = flags.DEFINE_integer("steps", 5, "Number of timed steps after the first.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the numbers to.")
settings_flags.define_space()
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    space = settings_flags.read_space()
    images = (BATCH_SIZE.value, *IMAGE_SIZE.value, 3)
    context = multiprocessing.get_context("spawn")
    results = {}
    for job in JOBS if space.pretrains else ("search",):
        receiver, sender = context.Pipe(duplex=False)
        arguments = (
            sender,
            job,
            space.name,
            space.settings,
            NUM_CLASSES.value,
            images,
            STEPS.value,
        )
        process = context.Process(target=_measure, args=arguments)
        process.start()
        sender.close()
        try:
            results[job] = receiver.recv()
        except EOFError:
            raise OSError(
                f"The {job} process died; probably it ran out of memory. Use a smaller "
                "--batch_size or --image_size."
            ) from None
        process.join()
    rows = [
        (
            job,
            f"{each['first_step_seconds']:.1f}",
            f"{each['step_seconds']:.2f}",
            f"{each['pruned_step_seconds']:.2f}" if "pruned_step_seconds" in each else "",
            f"{each['peak_memory_gb']:.2f}",
        )
        for job, each in results.items()
    ]
    headers = ("job", "trace + first step s", "step s", "pruned step s", "peak memory GB")
    print(tabulate.tabulate(rows, headers=headers, disable_numparse=True))
    facts = {
        "space": space.name,
        **dataclasses.asdict(space.settings),
        "images": list(images),
        "available_cores": available_cores().logical,
        "cpu_quota": available_cores().quota,
        "load_average_before": psutil.getloadavg()[0],
    }
    print(json.dumps(facts))
    if OUTPUT.value:
        write_json(pathlib.Path(OUTPUT.value), {**facts, "jobs": results})


def _measure(sender, job: str, name: str, settings, num_classes: int, images, steps: int):
    # Imported here: the waiting process does not need TensorFlow.
    import keras
    import numpy as np

    from keras_fasterseg.search.freed_memory import returned_to_system
    from keras_fasterseg.search.graph_options import without_graph_rewriting
    from keras_fasterseg.search.search_trainer import SearchTrainer
    from keras_fasterseg.search.supernet_pretrainer import SupernetPretrainer
    from keras_fasterseg.spaces.registry import make_space
    from keras_fasterseg.training.l2_sgd import L2SGD

    space = make_space(name, settings)
    model = space.search_model(num_classes, seed=0)
    generator = np.random.default_rng(0)
    batch = (
        generator.standard_normal(images, "float32"),
        generator.integers(0, num_classes, images[:3], "int32"),
    )
    optimizer = L2SGD(0.01, l2=5e-4, global_clipnorm=5.0)
    optimizer.build(model.supernet.trainable_variables)
    if job == "pretrain":
        trainer, data = SupernetPretrainer(model, seed=0), batch
        trainer.compile(optimizer=optimizer, jit_compile=False)
    else:
        trainer = SearchTrainer(model, single_level=space.single_level)
        data = batch if space.single_level else (batch, batch)
        trainer.compile(optimizer, keras.optimizers.Adam(3e-4, beta_1=0.5))
    import tensorflow as tf

    step = tf.function(trainer.train_step, autograph=False, jit_compile=False)
    data = tf.nest.map_structure(tf.constant, data)

    def timed(count: int) -> list[float]:
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            tf.nest.map_structure(np.asarray, step(data))
            seconds.append(time.perf_counter() - start)
        return seconds

    with without_graph_rewriting(), returned_to_system():
        seconds = timed(steps + 1)
        result = {
            "first_step_seconds": seconds[0],
            "step_seconds": statistics.median(seconds[1:]),
            # Kilobytes on Linux.
            "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
            "parameters": model.supernet.count_params(),
        }
        if job == "search" and model.callbacks():
            _prune(model, generator)
            result["pruned_step_seconds"] = statistics.median(timed(steps))
    sender.send(result)


def _prune(model, generator) -> None:
    """Prunes until nothing more is removed."""
    for architecture in model.architectures.values():
        for variable in architecture.trainable_variables:
            # Far apart and far below zero, where even sigmoids differ by large factors.
            variable.assign(5 * generator.standard_normal(variable.shape) - 20)
    logs: dict[str, float] = {}
    while True:
        before = dict(logs)
        for callback in model.callbacks():
            callback.on_epoch_end(0, logs)
        if logs == before:
            return


if __name__ == "__main__":
    command.run(main)
