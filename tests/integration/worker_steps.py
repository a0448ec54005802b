"""Some steps of a training: alone, as one of several workers (by TF_CONFIG) or on local devices.

python -m tests.integration.worker_steps SPACE JOB STEPS DEVICES OUTPUT
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
# Roundoff grows with every step, the faster the larger they are.
RATE = 1e-4


class Losses(keras.callbacks.Callback):
    """Keeps the losses of every step, which Keras would average over an epoch."""

    def __init__(self):
        super().__init__()
        self.rows: list[list[float]] = []

    def on_train_batch_end(self, batch, logs=None):
        self.rows.append([float(logs[name]) for name in sorted(logs)])
        self.model.reset_metrics()


def main(name: str, job: str, steps: int, devices: int, output: pathlib.Path) -> None:
    if "TF_CONFIG" in os.environ:
        workers.join()
    workers.use_devices(devices)
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    losses = Losses()
    with workers.local_devices():
        trainer, variables, pairs = make(name, job)
        part = (None, *SIZE)
        spec = tf.TensorSpec((*part, 3), tf.float32), tf.TensorSpec(part, tf.int32)
        data = tf.data.Dataset.from_generator(
            batches, args=(pairs,), output_signature=(spec, spec) if pairs else spec
        )
        trainer.fit(data, shuffle=False, steps_per_epoch=steps, verbose=0, callbacks=[losses])
    np.savez(output, losses.rows, *[np.asarray(variable) for variable in variables])


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
        return (
            make_trainer(network, None, TrainSettings(learning_rate=RATE), 10),
            network.trainable_variables,
            False,
        )
    if job == "distil":
        student, teacher = (
            space.build(space.largest_genotype(), CLASSES, auxiliary_heads=heads)
            for heads in (True, False)
        )
        settings = TrainSettings(
            learning_rate=RATE, accumulation_steps=2, ema_momentum=0.9, boundary_weight=0.5
        )
        trainer = make_trainer(student, teacher, settings, 10, class_weights=(1, 2, 0.5, 1, 3))
        averages = trainer.optimizer.averages
        return trainer, [*student.trainable_variables, *averages], False
    model = space.search_model(CLASSES, 0)
    if job == "pretrain":
        trainer = make_pretrainer(model, PretrainSettings(learning_rate=RATE), 10, 0)
        return trainer, model.supernet.trainable_variables, False
    table = random_table(space, SIZE, CLASSES)
    trainer = make_search_trainer(space, model, SearchSettings(learning_rate=RATE), table, 10)
    return trainer, trainer.architecture_variables, not space.single_level


def batches(pairs: bool):
    """This worker's parts of batches of noise."""
    generator = np.random.default_rng(0)
    while True:
        first = own_part(generator)
        yield (first, own_part(generator)) if pairs else first


def own_part(generator: np.random.Generator):
    """This worker's part of a batch of noise; some pixels are ignored."""
    images = generator.normal(size=(BATCH, *SIZE, 3)).astype("float32")
    labels = generator.integers(0, CLASSES, (BATCH, *SIZE)).astype("int32")
    labels[: BATCH // 2, :9] = 255
    size = BATCH // workers.total()
    own = slice(workers.rank() * size, (workers.rank() + 1) * size)
    return images[own], labels[own]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), pathlib.Path(sys.argv[5]))
