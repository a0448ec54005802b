"""The serving graph while TensorFlow traces it."""

import keras
import pytest
import tensorflow as tf

from keras_fasterseg.runtimes.serving_graph import ServingGraph
from tests.stand_in import MEAN, STD, random_images, segmentation_network


@pytest.mark.parametrize("size", [(31, 64), (64, 8)])
def test_small_images_are_refused_while_tracing_and_while_running(size):
    graph = ServingGraph(segmentation_network(), mean=MEAN, std=STD)
    images = tf.constant(random_images(1, *size))
    fixed = tf.function(graph.class_ids)
    with pytest.raises(ValueError, match="at least 32"):
        fixed(images)
    free = tf.function(
        graph.class_ids, input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)]
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 32"):
        free(images)


@pytest.mark.parametrize(("size", "fits"), [((64, 96), True), ((64, 90), False)])
def test_a_static_size_that_fits_is_neither_padded_nor_cropped(size, fits):
    images = keras.Input((None, None, 3))
    graph = ServingGraph(
        keras.Model(images, keras.layers.Activation("linear")(images)), mean=MEAN, std=STD
    )
    specification = tf.TensorSpec((1, *size, 3), tf.uint8)
    function = tf.function(graph.outputs, autograph=False).get_concrete_function(specification)
    kinds = [operation.type for operation in function.graph.get_operations()]
    assert ({"Pad", "PadV2"}.isdisjoint(kinds) and "StridedSlice" not in kinds) == fits
    assert kinds.count("ArgMax") == 1
