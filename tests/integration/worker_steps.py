"""Some steps of a training, alone or as one of several workers.

python -m tests.integration.worker_steps SPACE JOB STEPS OUTPUT. TF_CONFIG makes it a worker.
"""

import os
import pathlib
import sys

import keras
import numpy as np

from keras_fasterseg import workers
from tests.conformance.spaces import tiny_space
from tests.run.latency_rows import random_table

BATCH, SIZE, CLASSES = 4, (96, 128), 5


def main(name: str, job: str, steps: int, output: pathlib.Path) -> None:
    if "TF_CONFIG" in os.environ:
        workers.join()
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    trainer, variables, pairs = make(name, job)
    step = tf.function(trainer.train_step, autograph=False)
    generator, losses = np.random.default_rng(0), []
    for _ in range(steps):
        trainer.reset_metrics()
        data = tuple(own_part(generator) for _ in range(1 + pairs))
        logs = step(data if pairs else data[0])
        losses.append([float(logs[name]) for name in sorted(logs)])
    np.savez(output, losses, *[np.asarray(variable) for variable in variables])


def make(name: str, job: str):
    """The trainer, the variables to compare, and whether its data are pairs of batches."""
    from keras_fasterseg.jobs.pretrain import make_pretrainer
    from keras_fasterseg.jobs.search import make_search_trainer
    from keras_fasterseg.jobs.train import make_trainer
    from keras_fasterseg.settings.search import PretrainSettings, SearchSettings
    from keras_fasterseg.settings.training import TrainSettings

    space = tiny_space(name)
    if job == "train":
        network = space.build(space.largest_genotype(), CLASSES, auxiliary_heads=True)
        return make_trainer(network, None, TrainSettings(), 10), network.trainable_variables, False
    model = space.search_model(CLASSES, 0)
    if job == "pretrain":
        trainer = make_pretrainer(model, PretrainSettings(), 10, 0)
        return trainer, model.supernet.trainable_variables, False
    table = random_table(space, SIZE, CLASSES)
    trainer = make_search_trainer(space, model, SearchSettings(), table, 10)
    return trainer, trainer.architecture_variables, not space.single_level


def own_part(generator: np.random.Generator):
    """This worker's part of a batch of noise; some pixels are ignored."""
    images = generator.normal(size=(BATCH, *SIZE, 3)).astype("float32")
    labels = generator.integers(0, CLASSES, (BATCH, *SIZE)).astype("int32")
    labels[: BATCH // 2, :9] = 255
    size = BATCH // workers.total()
    own = slice(workers.rank() * size, (workers.rank() + 1) * size)
    return images[own], labels[own]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4]))
