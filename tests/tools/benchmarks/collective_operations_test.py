"""Sums in graphs written by hand, and those of a small network against its weights."""

import collections
import json
import subprocess
import sys

import pytest
import tensorflow as tf

from tests.shared import ROOT
from tools.benchmarks.collective_operations import Sum, by_kind, sums_of

pytestmark = pytest.mark.backends("tensorflow")


def summed(values):
    return tf.raw_ops.CollectiveReduceV2(
        input=values,
        group_size=2,
        group_key=1,
        instance_key=1,
        ordering_token=[],
        merge_op="Add",
        final_op="Id",
    )


@tf.function(autograph=False)
def called(values):
    return summed(summed(values))


def graph_of(function, *shapes):
    specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    return traced.graph.as_graph_def(add_shapes=True)


def test_calls_are_counted_as_often_as_they_run_and_conditions_by_their_larger_side():
    def step(first, second):
        small = called(first)
        small = called(small)
        chosen = tf.cond(
            tf.reduce_sum(small) > 0,
            lambda: summed(summed(second)),
            lambda: summed(second) + tf.reduce_sum(called(first)),
        )
        return summed(tf.cast(chosen, tf.float16))

    found = sums_of(graph_of(step, (3,), (5, 7)))
    assert found == collections.Counter(
        {
            Sum((3,), 12): 4,
            Sum((5, 7), 140, conditional=True): 2,
            Sum((5, 7), 70): 1,
        }
    )


def is_small(values):
    return tf.reduce_sum(values) < 9


def test_a_loop_with_sums_cannot_be_counted():
    def step(values):
        return tf.while_loop(
            lambda each: tf.reduce_sum(each) < 9, lambda each: [summed(each)], [values]
        )

    with pytest.raises(ValueError, match="It is not known how often it runs"):
        sums_of(graph_of(step, (3,)))


def test_a_loop_without_sums():
    def step(values):
        (values,) = tf.while_loop(
            lambda each: tf.reduce_sum(each) < 9, lambda each: [each + 1], [values]
        )
        return summed(values)

    assert sums_of(graph_of(step, (3,))) == {Sum((3,), 12): 1}


def test_a_shape_that_is_not_known():
    with pytest.raises(ValueError, match="Trace with fixed shapes"):
        sums_of(graph_of(summed, (None, 2)))


def test_kinds_of_one_of_two_replicas():
    sums = {Sum((), 4): 4, Sum((9,), 36): 2, Sum((2, 5), 40): 2, Sum((2, 2, 5), 80): 2}
    found = by_kind(sums, 2)
    assert found["losses"] == {"operations": 2, "bytes": 8}
    assert found["gradients"] == {"operations": 1, "bytes": 36}
    assert found["statistic_gradients"] == {"operations": 1, "bytes": 40}
    assert found["statistics"] == {"operations": 1, "bytes": 80}
    assert found["hard_pixels"] == {"operations": 0, "bytes": 0}


@pytest.mark.parametrize("wrong", [{Sum((), 4): 3}, {Sum((3, 2, 5), 120): 2}])
def test_replicas_that_differ(wrong):
    with pytest.raises(ValueError, match="2 replicas"):
        by_kind(wrong, 2)


# A process of its own: logical devices must exist before TensorFlow computes anything.
SMALL_NETWORK = """
import json, keras, numpy as np
from keras_fasterseg import workers
workers.use_devices(3)
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.jobs.train import make_trainer
from keras_fasterseg.settings.training import TrainSettings
from tools.benchmarks.collective_operations import by_kind, sums_of
from tools.benchmarks.communication import step_graph
found = []
for synchronized in (True, False):
    with workers.local_devices():
        images = keras.Input((8, 16, 3))
        features = ConvBatchNorm(5, 3)(images)
        features = ConvBatchNorm(7, 1)(features)
        network = keras.Model(images, {"scale_8": keras.layers.Conv2D(4, 1)(features)})
        network.prediction = "scale_8"
        settings = TrainSettings(sync_batch_norm=synchronized)
        trainer = make_trainer(network, None, settings, 1)
        batch = np.zeros((2, 8, 16, 3), "float32"), np.zeros((2, 8, 16), "int32")
        found.append(by_kind(sums_of(step_graph(trainer, batch)), 3))
print(json.dumps(found))
"""


def test_a_small_network_on_three_devices():
    finished = subprocess.run(
        [sys.executable, "-c", SMALL_NETWORK], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    synchronized, alone = json.loads(finished.stdout.splitlines()[-1])
    weights = (3 * 3 * 3 * 5 + 2 * 5) + (5 * 7 + 2 * 7) + (7 * 4 + 4)
    assert synchronized["gradients"] == {"operations": 1, "bytes": 4 * weights}
    # Of each replica a row of means and one of variances.
    assert synchronized["statistics"] == {"operations": 2, "bytes": 4 * 3 * 2 * (5 + 7)}
    assert synchronized["statistic_gradients"] == {"operations": 2, "bytes": 4 * 2 * (5 + 7)}
    assert synchronized["hard_pixels"] == {"operations": 1, "bytes": 4 * 3 * 2 * 8 * 16}
    # The number of hard pixels, their weights and the loss that is shown.
    assert synchronized["losses"]["operations"] == 3
    none = {"operations": 0, "bytes": 0}
    assert alone == {**synchronized, "statistics": none, "statistic_gradients": none}
