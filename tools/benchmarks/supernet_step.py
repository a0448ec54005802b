"""Seconds and memory of a training step of the full supernet, on random images.

Each job runs in a separate process, so that its peak memory can be measured, on the backend that
the environment variable `KERAS_BACKEND` names. "Compile" is how much longer the first two steps
take than later ones: tracing, preparing the graph, and on JAX compiling, which happens again once
Keras's metrics exist. "Trace" is the part of it in which Python describes the steps.
"Step" is the median of the later steps. For a search space that prunes, "pruned step" is the same
after pruning until nothing more is removed, from random architecture parameters.
"""

from tools import command  # isort: skip

import dataclasses
import itertools
import json
import multiprocessing
import pathlib
import resource
import statistics
import sys
import time

import psutil
import tabulate
from absl import flags

from flags import settings_flags
from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.files import write_json

JOBS = ("pretrain", "search")

# The default schedules end after 125 epochs at the latest.
_PRUNING_EPOCHS = 200

NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Number of classes.")
BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 2, "Images per step from each of the two halves of the training set."
)
IMAGE_SIZE = flags.DEFINE(
    settings_flags.SizeParser(), "image_size", (128, 256), "Height x width of the images."
)
STEPS = flags.DEFINE_integer(
    "steps", 5, "Number of timed steps after the first two.", lower_bound=1
)
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the numbers to.")
settings_flags.define_space()
flags.adopt_module_key_flags(settings_flags)


def main() -> None:
    space = settings_flags.read_space()
    context, load = multiprocessing.get_context("spawn"), psutil.getloadavg()[0]
    facts, results = {}, {}
    for job in JOBS if space.pretrains else ("search",):
        receiver, sender = context.Pipe(duplex=False)
        sizes = {"batch_size": BATCH_SIZE.value, "crop_size": IMAGE_SIZE.value}
        arguments = (sender, job, space.name, space.settings, NUM_CLASSES.value, sizes, STEPS.value)
        process = context.Process(target=_measure, args=arguments)
        process.start()
        sender.close()
        try:
            facts, results[job] = receiver.recv()
        except EOFError:
            process.join()
            # Linux kills with signal 9 if memory runs out.
            reason = "; probably memory ran out" if process.exitcode == -9 else ""
            raise OSError(f"The {job} process ended with {process.exitcode}{reason}.") from None
        process.join()
    rows = [
        (
            job,
            f"{each['trace_seconds']:.1f}",
            f"{each['compile_seconds']:.1f}",
            f"{each['step_seconds']:.2f}",
            f"{each['pruned_step_seconds']:.2f}" if "pruned_step_seconds" in each else "",
            f"{each['peak_memory_gb']:.2f}",
        )
        for job, each in results.items()
    ]
    headers = ("job", "trace s", "compile s", "step s", "pruned step s", "peak memory GB")
    print(tabulate.tabulate(rows, headers=headers, disable_numparse=True))
    facts |= {
        "space": space.name,
        **dataclasses.asdict(space.settings),
        "images": [BATCH_SIZE.value, *IMAGE_SIZE.value, 3],
        "available_cores": available_cores().logical,
        "cpu_quota": available_cores().quota,
        "load_average_before": load,
    }
    print(json.dumps(facts))
    if OUTPUT.value:
        write_json(pathlib.Path(OUTPUT.value), {**facts, "jobs": results})


def _measure(sender, job: str, name: str, space_settings, num_classes: int, sizes, steps: int):
    # Imported here: the waiting process does not need Keras.
    import keras
    import numpy as np

    from keras_fasterseg.jobs.step_measurements import StepTimes, prepare_step
    from keras_fasterseg.search.freed_memory import returned_to_system
    from keras_fasterseg.search.graph_options import without_graph_rewriting
    from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
    from keras_fasterseg.settings.stages import RunSettings
    from keras_fasterseg.spaces.registry import make_space

    settings = RunSettings(
        space=make_space(name, space_settings),
        pretrain=PretrainSettings(**sizes),
        search=SearchSettings(**sizes),
    )
    trainer, supernet, batch = prepare_step(job, settings, num_classes, {})
    traces = _timed_traces(trainer)

    def timed(count: int) -> list[float]:
        """Seconds of `count` steps."""
        times = StepTimes()
        batches = (batch for _ in itertools.count())
        trainer.fit(batches, steps_per_epoch=count, shuffle=False, verbose=0, callbacks=[times])
        return np.diff([times.start, *times.ends]).tolist()

    with without_graph_rewriting(), returned_to_system():
        first, second, *later = timed(2 + steps)
        step = statistics.median(later)
        result = {
            "trace_seconds": sum(traces),
            "compile_seconds": first + second - 2 * step,
            "step_seconds": step,
            "later_steps_seconds": later,
            # Kilobytes on Linux.
            "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
            "parameters": supernet.count_params(),
        }
        if job == "search" and trainer.model.callbacks():
            _prune(trainer.model, np.random.default_rng(0))
            result["pruned_step_seconds"] = statistics.median(timed(steps))
    backend = keras.backend.backend()
    versions = {each: sys.modules[each].__version__ for each in (backend, "keras")}
    sender.send(({"backend": backend, "versions": versions}, result))


def _timed_traces(trainer) -> list[float]:
    """A list that gets the seconds of every trace of a step; Python runs no step otherwise."""
    seconds, step = [], trainer.train_step

    def train_step(*arguments):
        start = time.perf_counter()
        try:
            return step(*arguments)
        finally:
            seconds.append(time.perf_counter() - start)

    trainer.train_step = train_step
    return seconds


def _prune(model, generator) -> None:
    """Prunes for so many epochs that nothing more is removed."""
    for architecture in model.architectures.values():
        for variable in architecture.trainable_variables:
            # Far apart and far below zero, where even sigmoids differ by large factors.
            variable.assign(5 * generator.standard_normal(variable.shape) - 20)
    logs: dict[str, float] = {}
    for epoch in range(_PRUNING_EPOCHS):
        for callback in model.callbacks():
            callback.on_epoch_end(epoch, logs)


if __name__ == "__main__":
    command.run(main)
