import keras
import numpy as np
import pytest

from keras_fasterseg.spaces.joint.network import JointNetwork
from tests.layers.resize_test import resize_numpy
from tests.spaces.joint import closed_forms
from tests.spaces.joint.genotypes import SMALL

HEADS = ("prediction", "auxiliary")


def small_network(**arguments):
    keras.utils.set_random_seed(0)
    network = JointNetwork(SMALL, num_classes=3, **arguments)
    closed_forms.randomize_normalizations(network)
    return network


def random_images(batch=1, height=64, width=96):
    return np.random.default_rng(0).normal(size=(batch, height, width, 3)).astype("float32")


def classify(head, images):
    kernel, bias = head.classifier.get_weights()
    return images @ kernel[0, 0] + bias


def network_numpy(network, images):
    """The network by the book: the logits and those of the auxiliary head."""
    layer, size = network.get_layer, images.shape[1:3]
    stem = closed_forms.downsampler(layer("stem"), images)
    early = closed_forms.downsampler(layer("early_downsampler"), stem)
    for index in range(3):
        early = closed_forms.block(layer(f"early_{index}"), early)
    late = closed_forms.downsampler(layer("late_downsampler"), early)
    for index in range(2):
        late = closed_forms.block(layer(f"late_{index}"), late)
    batch, height, width, channels = stem.shape
    average = stem.reshape(batch, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))
    fine = np.concatenate([early, average], axis=-1)
    fine = closed_forms.conv_batch_norm(layer("low_level"), fine)
    coarse = closed_forms.pyramid(layer("pyramid"), late)
    fused = np.concatenate([coarse, fine], axis=-1)
    fused = closed_forms.conv_batch_norm(layer("fusion"), fused)
    return (
        resize_numpy(classify(layer("classifier"), fused), size),
        resize_numpy(classify(layer("auxiliary"), late), size),
    )


def test_equals_the_formula():
    network, images = small_network(auxiliary_heads=True), random_images()
    predictions = network(images)
    for name, expected in zip(HEADS, network_numpy(network, images), strict=True):
        assert predictions[name].dtype == "float32"
        # Sums of at most 117 products in each of twenty convolutions, in float32.
        error = np.abs(predictions[name] - expected).max()
        assert error < 1e-5 * np.abs(expected).max()


def test_filters_of_the_layers():
    network = small_network()
    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    assert shapes["stem"] == (None, None, 4)
    assert shapes["early_2"] == (None, None, 5)
    assert shapes["late_1"] == (None, None, 14)
    assert shapes["low_level"] == (None, None, 8)
    assert shapes["pyramid"] == shapes["fusion"] == (None, None, 16)
    assert network.get_layer("pyramid").bin_filters == 5


def test_dropout_is_the_published_one():
    network = small_network()
    rates = [network.get_layer(name).dropout for name in ("early_0", "early_2", "late_1")]
    assert rates == [0.03, 0.03, 0.3]


def test_sizes_may_be_fixed_or_open():
    open_network, fixed = small_network(), small_network(input_size=(64, 96))
    assert open_network.output_shape == (None, None, None, 3)
    assert fixed.output_shape == (None, 64, 96, 3)
    fixed.set_weights(open_network.get_weights())
    images = random_images()
    np.testing.assert_allclose(fixed(images), open_network(images), atol=1e-4)
    # A size that changes between calls, in one traced graph.
    for height, width in ((64, 96), (96, 160)):
        images = random_images(1, height, width)
        traced = open_network.predict(images, verbose=0)
        np.testing.assert_allclose(traced, open_network(images), atol=1e-4)


@pytest.mark.parametrize("auxiliary_heads", [False, True])
def test_save_and_load(tmp_path, auxiliary_heads):
    network = small_network(auxiliary_heads=auxiliary_heads)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert isinstance(loaded, JointNetwork)
    assert loaded.genotype == SMALL
    assert loaded.get_config() == network.get_config()
    images = random_images()
    keras.tree.map_structure(np.testing.assert_array_equal, loaded(images), network(images))


def test_the_deployed_network_has_no_auxiliary_head():
    network, images = small_network(auxiliary_heads=True), random_images()
    deployed = network.without_auxiliary_heads()
    np.testing.assert_allclose(deployed(images), network(images)["prediction"], atol=1e-5)
    assert not any("auxiliary" in weight.path for weight in deployed.weights)


def test_heads_are_known_as_classifiers():
    """Weights for other classes start anew by this name."""
    network = small_network(auxiliary_heads=True)
    heads = {weight.path.rpartition("/")[0] for weight in network.weights if weight.shape[-1] == 3}
    assert heads == {"classifier/classifier", "auxiliary/classifier"}


def test_mixed_precision():
    network, exact = small_network(dtype="mixed_bfloat16"), small_network()
    assert network.get_layer("late_0").compute_dtype == "bfloat16"
    assert {weight.dtype for weight in network.weights} == {"float32"}
    network.set_weights(exact.get_weights())
    logits, images = network(random_images()), random_images()
    assert logits.dtype == "float32"
    # bfloat16 has 8 bits, and the network some twenty convolutions.
    assert np.abs(logits - exact(images)).max() < 0.1 * np.abs(exact(images)).max()


def test_all_weights_train():
    network = small_network(auxiliary_heads=True)
    labels = np.random.default_rng(0).integers(3, size=(2, 64, 96))
    network.compile(
        optimizer=keras.optimizers.SGD(1e-2),
        run_eagerly=True,
        loss=dict.fromkeys(HEADS, keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
    )
    before = [np.array(weight) for weight in network.trainable_variables]
    network.fit(random_images(2), dict.fromkeys(HEADS, labels), epochs=1, verbose=0)
    for old, weight in zip(before, network.trainable_variables, strict=True):
        assert np.any(np.array(weight) != old), weight.path
