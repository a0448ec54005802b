import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.runtimes.serving_graph import ServingGraph
from tests.shared import load_fixture
from tests.stand_in import (
    MEAN,
    STD,
    assert_same_classes,
    expected_logits,
    random_images,
    segmentation_network,
)


def _identity() -> keras.Model:
    images = keras.Input((None, None, 3))
    return keras.Model(images, keras.layers.Activation("linear")(images))


def test_normalisation_equals_the_released_code():
    fixture = load_fixture("input_256x512")
    graph = ServingGraph(_identity(), mean=MEAN, std=STD)
    normalised = graph.logits(tf.constant(fixture["img_uint8_nhwc"]))
    np.testing.assert_allclose(normalised, fixture["x_nhwc"], atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 64, 96), (3, 33, 47)])
def test_logits_and_classes_equal_numpy_around_keras(shape):
    model = segmentation_network()
    graph = ServingGraph(model, mean=MEAN, std=STD, num_classes=5)
    images = random_images(*shape)
    expected = expected_logits(model, images)
    logits, class_ids = graph.logits(tf.constant(images)), graph.class_ids(tf.constant(images))
    assert class_ids.dtype == tf.uint8
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert_same_classes(class_ids.numpy(), expected)


def test_padding_is_the_mean_colour_after_normalising():
    seen = []

    class Spy(keras.layers.Layer):
        def call(self, images):
            seen.append(images)
            return images

    images = keras.Input((None, None, 3))
    model = keras.Model(images, Spy()(images))
    seen.clear()
    ServingGraph(model, mean=MEAN, std=STD).logits(tf.constant(random_images(1, 40, 32)))
    assert seen[0].shape == (1, 64, 32, 3)
    assert not np.any(seen[0][:, 40:])
    assert np.all(seen[0][:, :40] != 0.0)


@pytest.mark.parametrize("size", [(31, 64), (64, 8)])
def test_small_images_are_refused_while_tracing_and_while_running(size):
    graph = ServingGraph(segmentation_network(), mean=MEAN, std=STD)
    images = tf.constant(random_images(1, *size))
    with pytest.raises(ValueError, match="at least 32"):
        graph.class_ids(images)
    free = tf.function(graph.class_ids, input_signature=ServingGraph.input_signature)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 32"):
        free(images)


def test_logits_of_another_number_of_classes_are_refused():
    graph = ServingGraph(segmentation_network(), mean=MEAN, std=STD, num_classes=19)
    with pytest.raises(ValueError, match=r"num_classes=19 channels. Received: 5"):
        graph.logits(tf.constant(random_images(1, 32, 32)))


def test_more_classes_than_bytes_can_name_are_refused():
    graph = ServingGraph(segmentation_network(num_classes=256), mean=MEAN, std=STD)
    with pytest.raises(ValueError, match=r"at most 255 classes. Received: 256"):
        graph.class_ids(tf.constant(random_images(1, 32, 32)))


def test_auxiliary_outputs_are_refused():
    network = segmentation_network()
    model = keras.Model(network.inputs, {"scale_8": network.output, "scale_16": network.output})
    with pytest.raises(ValueError, match=r"Received: dict; .*without its auxiliary heads"):
        ServingGraph(model, mean=MEAN, std=STD).logits(tf.constant(random_images(1, 32, 32)))


def test_precision_is_what_the_layers_compute_in():
    images = keras.Input((None, None, 3))
    half = keras.layers.Conv2D(4, 1, dtype="mixed_bfloat16")(images)
    mixed = keras.Model(images, keras.layers.Conv2D(2, 1, dtype="float32")(half))
    nested = keras.Model(images, mixed(images))
    for model, precision in (
        (segmentation_network(), "float32"),
        (mixed, "bfloat16+float32"),
        (nested, "bfloat16+float32"),
    ):
        assert ServingGraph(model, mean=MEAN, std=STD).precision == precision


def test_logits_of_half_precision_networks_are_float32():
    images = keras.Input((None, None, 3))
    model = keras.Model(images, keras.layers.Conv2D(2, 1, dtype="bfloat16")(images))
    graph = ServingGraph(model, mean=MEAN, std=STD)
    assert graph.logits(tf.constant(random_images(1, 32, 32))).dtype == tf.float32


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((123.7, 116.3, 103.5), STD, "divide"),
        (MEAN, (58.4, 57.1, 57.4), "divide"),
        (MEAN, (0.2, 0.0, 0.2), "above 0"),
        ((0.5, 0.5), STD, "three numbers"),
        ((0.5, 0.5, float("nan")), STD, "three numbers"),
    ],
)
def test_impossible_normalisations_are_refused(mean, std, message):
    with pytest.raises(ValueError, match=message):
        ServingGraph(segmentation_network(), mean=mean, std=std)


def test_several_outputs_come_of_one_run():
    model = segmentation_network()
    graph = ServingGraph(model, mean=MEAN, std=STD)
    images = random_images(1, 45, 70)
    outputs = graph.outputs(tf.constant(images))
    expected = expected_logits(model, images)
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)
    assert_same_classes(outputs["class_ids"].numpy(), expected)
    assert set(graph.outputs(tf.constant(images), ("class_ids",))) == {"class_ids"}


@pytest.mark.parametrize(("size", "fits"), [((64, 96), True), ((64, 90), False)])
def test_a_static_size_that_fits_is_neither_padded_nor_cropped(size, fits):
    graph = ServingGraph(_identity(), mean=MEAN, std=STD)
    specification = tf.TensorSpec((1, *size, 3), tf.uint8)
    function = tf.function(graph.outputs, autograph=False).get_concrete_function(specification)
    kinds = [operation.type for operation in function.graph.get_operations()]
    assert ({"Pad", "PadV2"}.isdisjoint(kinds) and "StridedSlice" not in kinds) == fits
    assert kinds.count("ArgMax") == 1
