"""Seconds of a step alone, and the sums that it makes if several replicas share its batch.

    python -m tools.benchmarks.communication --job=search --space=fasterseg

Neither a network nor a second device is used. Two processes run one after the other. The first
times steps of one and of two images on one core, in processor seconds, which other programs hardly
change. The second traces, without running it, a step of two logical devices with one image each,
and counts its sums over replicas. Weights are random, images noise. `tools.maintenance.scaling`
simulates more devices from these numbers.
"""

from tools import command  # isort: skip

import dataclasses
import itertools
import json
import multiprocessing
import os
import pathlib
import statistics
import sys
import time

import psutil
import tabulate
from absl import flags

from flags import settings_flags
from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.files import write_json
from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
from keras_fasterseg.settings.training import TrainSettings
from tools.benchmarks.loopback import sent_per_step

_REPLICAS = 2
_TIMED_IMAGES = (1, 2)
_SETTINGS = {"pretrain": PretrainSettings, "search": SearchSettings, "train": TrainSettings}

JOB = flags.DEFINE_enum(
    "job",
    "pretrain",
    list(_SETTINGS),
    "Step to measure: of the supernet's pretraining, of its search, or of training a network.",
)
GENOTYPE = flags.DEFINE_string(
    "genotype", "fasterseg_student", "Network of --job=train: a preset or a genotype file."
)
NUM_CLASSES = flags.DEFINE_integer("num_classes", 19, "Number of classes.", lower_bound=1)
BATCH_SIZE = flags.DEFINE_integer(
    "batch_size",
    None,
    "Images per device in simulations; measured are steps of one and two. Default: the job's.",
    lower_bound=1,
)
IMAGE_SIZE = flags.DEFINE(
    settings_flags.SizeParser(),
    "image_size",
    None,
    "Height x width of the images. Default: the job's.",
)
SAMPLE_PATHS = flags.DEFINE_bool(
    "sample_paths", False, "Measure pretraining with --pretrain_sample_paths."
)
LOOPBACK = flags.DEFINE_bool(
    "loopback",
    False,
    "Also run two workers on this machine, and measure the bytes that they send. Other programs "
    "must not use the loopback interface meanwhile.",
)
STEPS = flags.DEFINE_integer("steps", 2, "Number of timed steps of each batch.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "JSON file to write the numbers to.")
settings_flags.define_space()
flags.adopt_module_key_flags(settings_flags)


@dataclasses.dataclass(frozen=True)
class _Job:
    """Facts from which a process makes a step."""

    name: str
    space: str
    space_settings: object
    genotype: str
    num_classes: int
    image_size: tuple[int, int]
    sample_paths: bool
    steps: int

    def prepare(self, images: int):
        """The trainer, its network and a random batch."""
        from keras_fasterseg.jobs.step_measurements import prepare_step
        from keras_fasterseg.settings.stages import RunSettings
        from keras_fasterseg.spaces.registry import make_space, resolve_genotype
        from keras_fasterseg.spaces.roles import STUDENT

        trains = self.name == "train"
        stage = STUDENT if trains else self.name
        own = _SETTINGS[self.name](batch_size=images, crop_size=self.image_size)
        space = make_space(self.space, self.space_settings)
        settings = dataclasses.replace(RunSettings(space=space), **{stage: own})
        genotypes = {STUDENT: resolve_genotype(self.genotype)} if trains else {}
        trainer, network, batch = prepare_step(stage, settings, self.num_classes, genotypes)
        if not trains:
            trainer.model.samples_paths = self.sample_paths
        return trainer, network, batch


def main() -> None:
    space, defaults = settings_flags.read_space(), _SETTINGS[JOB.value]()
    size = IMAGE_SIZE.value or defaults.crop_size
    job = _Job(
        JOB.value,
        space.name,
        space.settings,
        GENOTYPE.value,
        NUM_CLASSES.value,
        size,
        SAMPLE_PATHS.value,
        STEPS.value,
    )
    facts = {
        "job": job.name,
        **({"genotype": job.genotype} if job.name == "train" else {"space": space.name}),
        **({} if job.name == "train" else dataclasses.asdict(space.settings)),
        "images": [BATCH_SIZE.value or defaults.batch_size, *size, 3],
        "sample_paths": job.sample_paths,
        "available_cores": available_cores().logical,
        "load_average_before": psutil.getloadavg()[0],
        "command": command.line(),
    }
    facts |= _in_process(_times, job)
    facts["sums"] = _in_process(_sums, job)
    if LOOPBACK.value:
        facts["loopback_bytes"] = sent_per_step(job, STEPS.value)
    rows = [
        (kind, each["operations"], f"{each['bytes'] / 1e6:.3f}")
        for kind, each in facts["sums"].items()
    ]
    print(tabulate.tabulate(rows, headers=("sums", "operations", "MB"), disable_numparse=True))
    print(json.dumps({name: value for name, value in facts.items() if name != "sums"}))
    if OUTPUT.value:
        write_json(pathlib.Path(OUTPUT.value), facts)


def _in_process(function, job: _Job):
    """Result of a function in a process of its own, so that TensorFlow begins anew."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, function, job))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        # Linux kills with signal 9 if memory runs out.
        reason = "; probably memory ran out" if process.exitcode == -9 else ""
        raise OSError(f"A measuring process ended with {process.exitcode}{reason}.") from None
    finally:
        process.join()


def _send(sender, function, job: _Job) -> None:
    sender.send(function(job))


def _times(job: _Job) -> dict[str, object]:
    """Processor seconds of steps by their number of images, and the size of the network."""
    # Before TensorFlow starts its threads.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import keras
    import numpy as np

    from keras_fasterseg.jobs.step_measurements import StepTimes
    from keras_fasterseg.search.freed_memory import returned_to_system
    from keras_fasterseg.search.graph_options import without_graph_rewriting

    class ProcessorTimes(StepTimes):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            processor.append(time.process_time())

    trainer, network, batch = job.prepare(max(_TIMED_IMAGES))
    found: dict[str, list[dict[str, float]]] = {}
    with without_graph_rewriting(), returned_to_system():
        for images in _TIMED_IMAGES:
            times, processor = ProcessorTimes(), []
            part = keras.tree.map_structure(lambda each, images=images: each[:images], batch)
            data = (part for _ in itertools.count())
            # The first steps trace; metrics exist from the second on.
            count = 2 + job.steps
            trainer.fit(data, steps_per_epoch=count, shuffle=False, verbose=0, callbacks=[times])
            walls = np.diff(times.ends).tolist()[1:]
            found[str(images)] = [
                {"processor_seconds": used, "wall_seconds": wall}
                for used, wall in zip(np.diff(processor).tolist()[1:], walls, strict=True)
            ]
    backend = keras.backend.backend()
    return {
        "versions": {each: sys.modules[each].__version__ for each in (backend, "keras")},
        "parameters": sum(int(np.prod(each.shape)) for each in network.trainable_variables),
        "step_seconds": {
            images: statistics.median(each["processor_seconds"] for each in steps)
            for images, steps in found.items()
        },
        "steps": found,
    }


def _sums(job: _Job) -> dict[str, dict[str, int]]:
    """Sums of one of two replicas with one image each, by kind."""
    from keras_fasterseg import workers
    from tools.benchmarks.collective_operations import by_kind, sums_of

    workers.use_devices(_REPLICAS)
    with workers.local_devices():
        trainer, _, batch = job.prepare(1)
        return by_kind(sums_of(step_graph(trainer, batch)), _REPLICAS)


def step_graph(trainer, batch):
    """`GraphDef` of a step, in which every local device gets a batch like this one."""
    import tensorflow as tf

    from keras_fasterseg.search.graph_options import without_graph_rewriting

    def step(data):
        return tf.distribute.get_strategy().run(trainer.train_step, args=(data,))

    specs = tf.nest.map_structure(lambda each: tf.TensorSpec(each.shape, each.dtype), batch)
    with without_graph_rewriting():
        traced = tf.function(step, autograph=False).get_concrete_function(specs)
    return traced.graph.as_graph_def(add_shapes=True)


if __name__ == "__main__":
    command.run(main)
