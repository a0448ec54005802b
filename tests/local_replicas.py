"""Values of a batch on one device, and of its two halves on two local devices, as JSON.

python -m tests.local_replicas
"""

import json
import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fasterseg import replicas, workers

SHAPE, CLASSES = (4, 6, 8, 3), 3
# Of 160 valid pixels, 49 have a probability below .05.
LOSSES = {
    "all_pixels": (0.7, {"min_kept": 0}),
    "weighted": (0.7, {"class_weights": (1.0, 0.5, 2.0)}),
    "hard_pixels": (0.05, {}),
    "more_than_hard": (0.05, {"min_kept": 120}),
}


def main() -> None:
    workers.use_devices(2)
    generator = np.random.default_rng(0)
    inputs = generator.normal(1.0, 2.0, SHAPE).astype("float32")
    labels = generator.integers(0, CLASSES, SHAPE[:3]).astype("int32")
    # More in the first half, whose own statistics and hard pixels therefore differ.
    labels[:1, :4] = 255
    random = keras.random.SeedGenerator(1)
    alone = values(tf.constant(inputs), tf.constant(labels), random)
    found: dict[str, Any] = {"alone": plain(alone)}
    with workers.local_devices():
        found["together"] = on_devices(inputs, labels, True)
        found["apart"] = on_devices(inputs, labels, False)
    json.dump(found, sys.stdout)


def on_devices(inputs: np.ndarray, labels: np.ndarray, synchronized: bool) -> list[Any]:
    """Values of both devices, traced as in a step."""
    strategy = tf.distribute.get_strategy()

    def part(array, context):
        index = context.replica_id_in_sync_group
        return tf.constant(array[2 * index : 2 * index + 2])

    halves = [
        strategy.experimental_distribute_values_from_function(lambda each, a=array: part(a, each))
        for array in (inputs, labels)
    ]

    random = keras.random.SeedGenerator(1)

    def step(inputs, labels):
        with replicas.together(synchronized):
            return values(inputs, labels, random)

    both = tf.function(lambda *each: strategy.run(step, each), autograph=False)(*halves)
    parts = {name: strategy.experimental_local_results(each) for name, each in both.items()}
    return [plain({name: each[index] for name, each in parts.items()}) for index in range(2)]


def values(inputs: Any, labels: Any, random: keras.random.SeedGenerator) -> dict[str, Any]:
    """Outputs, statistics and gradients of what concerns a complete batch."""
    from keras_fasterseg.layers.batch_normalize import batch_normalize, batch_normalize_settings
    from keras_fasterseg.layers.dropout import dropout
    from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy

    gamma, beta = tf.constant([1.0, -2.0, 0.5]), tf.constant([0.0, 1.0, 2.0])
    found = {}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((inputs, gamma, beta))
        outputs, mean, variance = batch_normalize(inputs, gamma, beta, 1e-3)
        settings = batch_normalize_settings(
            tf.concat([inputs, 2 * inputs], 0), [gamma] * 2, [beta] * 2, 1e-3
        )[0]
        normalized = tf.reduce_mean(outputs**3) + tf.reduce_mean(settings**3)
        losses = {
            name: ohem_cross_entropy(labels, inputs, threshold=threshold, **options)
            for name, (threshold, options) in LOSSES.items()
        }
        shown = replicas.with_mean_value(normalized)
    found |= {"outputs": outputs, "mean": mean, "variance": variance, "shown": shown}
    found |= {name: replicas.with_mean_value(loss) for name, loss in losses.items()}
    for name, loss in {"normalized": shown, **losses}.items():
        # A replica's gradient by its images is that of its own mean: twice that of the batch's.
        found[f"images_{name}"] = tape.gradient(loss, inputs) / replicas.count()
    gradients = tape.gradient(shown, (gamma, beta))
    found["gamma"], found["beta"] = replicas.mean_of(gradients)
    found["dropout"] = dropout(inputs, 0.5, random)
    # Two settings of the batch, one after the other.
    both = dropout(tf.concat([inputs, inputs], 0), 0.5, random, settings=2)
    found["dropout_first"], found["dropout_second"] = tf.split(both, 2)
    return found


def plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in values.items()}


if __name__ == "__main__":
    main()
