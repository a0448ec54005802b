"""The network of video object segmentation: outputs, files, sizes and inherited weights."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.run.object_networks import (
    initialize_encoder,
    is_object_network,
    load_object_network,
)
from keras_fasterseg.run.trained_networks import load_network
from keras_fasterseg.spaces.joint.network import JointNetwork
from keras_fasterseg.video_objects.network import EMBEDDING, ObjectNetwork
from tests.spaces.joint import closed_forms
from tests.video_objects.genotypes import SMALL, genotype_with_reductions

SIZE = (64, 96)
OBJECTS = 3


def small_network(**arguments) -> ObjectNetwork:
    keras.utils.set_random_seed(0)
    return ObjectNetwork(SMALL, **{"input_size": SIZE, "max_objects": OBJECTS, **arguments})


def randomize(weights: list[keras.Variable], seed: int) -> None:
    """Also scales, offsets and statistics of normalisations, so that no copy passes unnoticed."""
    rng = np.random.default_rng(seed)
    for weight in weights:
        values = ops.convert_to_numpy(weight)
        weight.assign(values + rng.uniform(0.01, 0.2, values.shape))


@pytest.fixture(scope="module")
def network() -> ObjectNetwork:
    network = small_network(trained_on={"split": "train"}, mean=(0.1, 0.2, 0.3))
    randomize(network.weights, 0)
    return network


@pytest.fixture(scope="module")
def fresh() -> ObjectNetwork:
    """A network with its initial heads."""
    return small_network()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, *SIZE, 3)).astype("float32")


@pytest.fixture(scope="module")
def outputs(network, images) -> dict[str, np.ndarray]:
    return outputs_of(network, images)


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    """The saved network, and a saved segmentation network with the same genotype."""
    folder = tmp_path_factory.mktemp("networks")
    network.save(folder / "objects.keras")
    trained = JointNetwork(SMALL, num_classes=3, auxiliary_heads=True, input_size=SIZE)
    closed_forms.randomize_normalizations(trained)
    trained.save(folder / "segmentation.keras")
    return folder, trained


def outputs_of(network, images) -> dict[str, np.ndarray]:
    outputs = network(images, training=False)
    return {name: ops.convert_to_numpy(each) for name, each in outputs.items()}


def test_names_and_shapes(outputs):
    assert {name: each.shape for name, each in outputs.items()} == {
        "scores": (2, OBJECTS),
        "boxes": (2, OBJECTS, 4),
        "masks": (2, OBJECTS, 28, 28),
        "embeddings": (2, OBJECTS, EMBEDDING),
        "embedding_map": (2, 16, 24, EMBEDDING),
        "foreground": (2, 8, 12),
    }
    assert {str(each.dtype) for each in outputs.values()} == {"float32"}


def test_ranges(outputs):
    for name in ("scores", "masks", "foreground"):
        assert outputs[name].min() >= 0
        assert outputs[name].max() <= 1
    assert (np.diff(outputs["scores"], axis=1) <= 0).all()
    assert (outputs["boxes"][..., 2:] > outputs["boxes"][..., :2]).all()
    np.testing.assert_allclose(np.linalg.norm(outputs["embeddings"], axis=-1), 1, rtol=1e-4)


def test_a_fresh_heat_map_is_near_one_tenth(fresh):
    centers = fresh.get_layer("dense").get_layer("centers")
    (bias,) = ops.convert_to_numpy(centers.bias)
    assert 1 / (1 + np.exp(-bias)) == pytest.approx(0.1, abs=0.001)


def test_described_equals_the_outputs_at_their_boxes(network, images, outputs):
    described = network.described(images, ops.convert_to_tensor(outputs["boxes"]), training=False)
    described = {name: ops.convert_to_numpy(each) for name, each in described.items()}
    assert {name: each.shape for name, each in described.items()} == {
        "centers": (2, 16, 24, 1),
        "sizes": (2, 16, 24, 2),
        "boundaries": (2, 16, 24, 1),
        "foreground": (2, 8, 12, 1),
        "masks": (2, OBJECTS, 28, 28),
        "embeddings": (2, OBJECTS, EMBEDDING),
    }
    masks, foreground = (1 / (1 + np.exp(-described[each])) for each in ("masks", "foreground"))
    np.testing.assert_allclose(masks, outputs["masks"], atol=1e-4)
    np.testing.assert_allclose(foreground[..., 0], outputs["foreground"], atol=1e-4)
    np.testing.assert_allclose(described["embeddings"], outputs["embeddings"], atol=1e-4)
    peaks = 1 / (1 + np.exp(-described["centers"].max(axis=(1, 2, 3))))
    np.testing.assert_allclose(outputs["scores"][:, 0], peaks, rtol=1e-4)


def test_frames_of_a_batch_do_not_mix(network, images, outputs):
    alone = outputs_of(network, images[1:])
    for name, value in alone.items():
        np.testing.assert_allclose(value[0], outputs[name][1], rtol=1e-3, atol=1e-3, err_msg=name)


def test_a_file_restores_the_network(network, images, outputs, files):
    folder, _ = files
    restored = load_object_network(folder / "objects.keras")
    assert restored.get_config() == network.get_config()
    assert restored.genotype == SMALL
    assert restored.trained_on == {"split": "train"}
    assert restored.mean == (0.1, 0.2, 0.3)
    for name, value in outputs_of(restored, images).items():
        np.testing.assert_array_equal(value, outputs[name], err_msg=name)


def test_files_of_other_networks_are_refused(files):
    folder, _ = files
    with pytest.raises(ValueError, match="ObjectNetwork"):
        load_network(folder / "objects.keras")
    with pytest.raises(ValueError, match="JointNetwork"):
        load_object_network(folder / "segmentation.keras")
    assert is_object_network(folder / "objects.keras")
    assert not is_object_network(folder / "segmentation.keras")


def test_encoder_inherits_a_trained_network(files, fresh, images):
    folder, trained = files
    network = fresh
    transfer = initialize_encoder(network, folder / "segmentation.keras")
    assert transfer.anew == ()
    sources = {weight.path: weight for weight in trained.weights}
    assert network.encoder.weights
    for weight in network.encoder.weights:
        expected = ops.convert_to_numpy(sources[weight.path])
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), expected)
    # The encoder computes the features of the trained network.
    fusion = keras.Model(trained.input, trained.get_layer("fusion").output)
    expected = ops.convert_to_numpy(fusion(images, training=False))
    result = ops.convert_to_numpy(network.encoder(images, training=False)["stride_8"])
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_resized_copies_the_weights(network):
    resized = network.resized((96, 64))
    assert resized.input_size == (96, 64)
    assert resized.get_config() == {**network.get_config(), "input_size": (96, 64)}
    for weight, copy in zip(network.weights, resized.weights, strict=True):
        assert weight is not copy
        assert weight.path == copy.path
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (weight, copy)))
    image = np.zeros((1, 96, 64, 3), "float32")
    assert outputs_of(resized, image)["foreground"].shape == (1, 12, 8)
    before = ops.convert_to_numpy(network.weights[0])
    resized.weights[0].assign(ops.zeros_like(resized.weights[0]))
    np.testing.assert_array_equal(ops.convert_to_numpy(network.weights[0]), before)


def test_attention_is_optional(network):
    def names(model: ObjectNetwork) -> set[str]:
        return {layer.name for layer in model.get_layer("dense").layers}

    plain = small_network(attention=False)
    assert any(name.startswith("attention") for name in names(network))
    assert not any(name.startswith("attention") for name in names(plain))
    assert plain.get_config()["attention"] is False


@pytest.mark.parametrize("max_objects", [0, -1, 255, 10**9, True, 2.0, "3"])
def test_max_objects_must_fit_ids(max_objects):
    with pytest.raises(ValueError, match=r"`max_objects` must be 1 to \d+. Received"):
        small_network(max_objects=max_objects)


def test_max_objects_must_fit_the_heat_map():
    with pytest.raises(ValueError, match=r"must be 1 to 64\. Received: max_objects=65"):
        small_network(input_size=(32, 32), max_objects=65)


@pytest.mark.parametrize("size", [(2**20, 64), (64,), (64, 96.0), "64x96", None])
def test_sizes_are_checked_before_anything_is_built(size):
    with pytest.raises(ValueError, match="`input_size` must be height and width from 32 to 4096"):
        small_network(input_size=size)


def test_a_genotype_is_needed():
    with pytest.raises(ValueError, match=r"must be a genotype\. Received: 'student'"):
        ObjectNetwork("student", SIZE)


@pytest.mark.parametrize("size", [(60, 96), (64, 100)])
def test_sides_must_be_multiples_of_32(size):
    with pytest.raises(ValueError, match="multiples of 32"):
        small_network(input_size=size)


def test_statistics_of_colors_are_checked():
    with pytest.raises(ValueError, match="std"):
        small_network(std=(0.0, 0.1, 0.1))


def test_a_genotype_without_features_at_one_quarter_gets_them_from_a_half():
    network = ObjectNetwork(genotype_with_reductions(0), SIZE)
    assert network.get_layer("dense").get_layer("lateral_4").strides == 2
    assert network.output["embedding_map"].shape[1:3] == (SIZE[0] // 4, SIZE[1] // 4)
