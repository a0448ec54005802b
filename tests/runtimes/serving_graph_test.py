import keras
import numpy as np
import pytest
from keras import ops

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
    normalised = graph.logits(ops.convert_to_tensor(fixture["img_uint8_nhwc"]))
    np.testing.assert_allclose(ops.convert_to_numpy(normalised), fixture["x_nhwc"], atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 64, 96), (3, 33, 47)])
def test_logits_and_classes_equal_numpy_around_keras(shape):
    model = segmentation_network()
    graph = ServingGraph(model, mean=MEAN, std=STD, num_classes=5)
    images = random_images(*shape)
    expected = expected_logits(model, images)
    tensor = ops.convert_to_tensor(images)
    logits, class_ids = map(ops.convert_to_numpy, (graph.logits(tensor), graph.class_ids(tensor)))
    assert class_ids.dtype == np.uint8
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert_same_classes(class_ids, expected)


def test_padding_is_the_mean_colour_after_normalising():
    seen = []

    class Spy(keras.layers.Layer):
        def call(self, images):
            seen.append(images)
            return images

    images = keras.Input((None, None, 3))
    model = keras.Model(images, Spy()(images))
    seen.clear()
    ServingGraph(model, mean=MEAN, std=STD).logits(ops.convert_to_tensor(random_images(1, 40, 32)))
    (padded,) = map(ops.convert_to_numpy, seen)
    assert padded.shape == (1, 64, 32, 3)
    assert not np.any(padded[:, 40:])
    assert np.all(padded[:, :40] != 0.0)


@pytest.mark.parametrize("size", [(31, 64), (64, 8)])
def test_small_images_are_refused(size):
    graph = ServingGraph(segmentation_network(), mean=MEAN, std=STD)
    with pytest.raises(ValueError, match="at least 32"):
        graph.class_ids(ops.convert_to_tensor(random_images(1, *size)))


def test_logits_of_another_number_of_classes_are_refused():
    graph = ServingGraph(segmentation_network(), mean=MEAN, std=STD, num_classes=19)
    with pytest.raises(ValueError, match=r"num_classes=19 channels. Received: 5"):
        graph.logits(ops.convert_to_tensor(random_images(1, 32, 32)))


def test_more_classes_than_bytes_can_name_are_refused():
    graph = ServingGraph(segmentation_network(num_classes=256), mean=MEAN, std=STD)
    with pytest.raises(ValueError, match=r"at most 255 classes. Received: 256"):
        graph.class_ids(ops.convert_to_tensor(random_images(1, 32, 32)))


def test_auxiliary_outputs_are_refused():
    network = segmentation_network()
    model = keras.Model(network.inputs, {"scale_8": network.output, "scale_16": network.output})
    with pytest.raises(ValueError, match=r"Received: dict; .*without its auxiliary heads"):
        ServingGraph(model, mean=MEAN, std=STD).logits(
            ops.convert_to_tensor(random_images(1, 32, 32))
        )


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
    logits = graph.logits(ops.convert_to_tensor(random_images(1, 32, 32)))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


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
    outputs = graph.outputs(ops.convert_to_tensor(images))
    expected = expected_logits(model, images)
    np.testing.assert_allclose(ops.convert_to_numpy(outputs["logits"]), expected, atol=1e-5)
    assert_same_classes(ops.convert_to_numpy(outputs["class_ids"]), expected)
    assert set(graph.outputs(ops.convert_to_tensor(images), ("class_ids",))) == {"class_ids"}
