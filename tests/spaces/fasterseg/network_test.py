import keras
import numpy as np
import pytest

from keras_fasterseg.classes import Classes
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.layers.stem import Stem
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.registry import load_preset
from tests.spaces.fasterseg.one_hot_choices import (
    make_genotype,
    random_images,
    randomize_weights,
)

HALF = 6 / 12


def branch(scale, *cells):
    return BranchGenotype(scale, tuple(CellGenotype(*cell) for cell in cells))


BRANCH_8 = branch(8, (0, 8, "conv", 1, 4 / 12), (3, 8, "conv_2x", 1, HALF))
BRANCH_16 = branch(
    16, (0, 8, "conv", 1, 4 / 12), (1, 8, "conv_downup", 2, 1.0), (4, 16, "conv_2x_downup", 1, HALF)
)
BRANCH_32 = branch(
    32,
    (0, 8, "conv", 1, 4 / 12),
    (1, 8, "skip", 2, 8 / 12),
    (2, 16, "skip", 1, 8 / 12),
    (3, 16, "conv_2x_downup", 2, 10 / 12),
    (5, 32, "conv", 1, HALF),
)
ALL_BRANCHES = [BRANCH_32, BRANCH_16, BRANCH_8]


def small_network(branches, **arguments):
    network = FasterSegNetwork(make_genotype(branches, HALF), num_classes=3, **arguments)
    randomize_weights(network.weights)
    return network


def trainable_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


@pytest.mark.parametrize(
    ("preset", "training", "inference"),
    [
        ("fasterseg_student", 4_352_921, 3_421_875),
        ("fasterseg_teacher", 23_450_409, 22_115_203),
    ],
)
def test_published_networks_have_the_published_numbers_of_parameters(preset, training, inference):
    network = FasterSegNetwork(load_preset(preset), auxiliary_heads=True)
    assert trainable_parameters(network) == training
    assert trainable_parameters(network.without_auxiliary_heads()) == inference


def outputs(function, images):
    """NumPy arrays, without the gradients that PyTorch's tensors carry."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, function(images))


@pytest.mark.parametrize(
    ("branches", "scales"),
    [
        ([BRANCH_8], []),
        ([BRANCH_16], [16]),
        ([BRANCH_32], [16, 32]),
        ([BRANCH_16, BRANCH_8], [16]),
        (ALL_BRANCHES, [16, 32]),
    ],
)
def test_any_set_of_branches_is_a_network(branches, scales):
    network = small_network(branches, auxiliary_heads=True)
    images = random_images(2, 64, 96)
    predictions = outputs(network, images)
    assert sorted(predictions) == sorted(f"scale_{scale}" for scale in [8, *scales])
    for logits in predictions.values():
        assert logits.shape == (2, 64, 96, 3)
        assert logits.dtype == "float32"
    deployed = network.without_auxiliary_heads()
    np.testing.assert_allclose(outputs(deployed, images), predictions["scale_8"], atol=1e-5)
    ours = {id(weight) for weight in network.weights}
    assert all(id(weight) in ours for weight in deployed.weights)
    assert deployed.name == network.name


def test_a_network_without_auxiliary_heads_is_its_own_deployment():
    network = small_network([BRANCH_8])
    assert network.without_auxiliary_heads() is network
    assert network(random_images(1, 32, 32)).shape == (1, 32, 32, 3)


def test_the_smallest_network_is_its_layers_one_after_the_other():
    network = small_network([branch(8, (0, 8, "conv", 1, HALF))])
    images = random_images(1, 64, 64)
    # Width 6/12 of F = 6: 2 * round(6), 2 * round(12) and 24 filters; a cell 24 to 24.
    by_hand = keras.Sequential([Stem(6, HALF), ConvBatchNorm(24, 3), ConvBatchNorm(24, 1), Head(3)])
    by_hand.build((None, 64, 64, 3))
    by_hand.set_weights(network.get_weights())
    expected = outputs(lambda x: resize_bilinear(by_hand(x), (64, 64)), images)
    np.testing.assert_allclose(outputs(network, images), expected, atol=1e-5)


def test_sizes_may_be_fixed_or_open():
    open_network = small_network(ALL_BRANCHES)
    fixed = small_network(ALL_BRANCHES, input_size=(64, 96))
    fixed.set_weights(open_network.get_weights())
    assert open_network.input_shape == (None, None, None, 3)
    assert open_network.output_shape == (None, None, None, 3)
    assert fixed.input_shape == (None, 64, 96, 3)
    assert fixed.output_shape == (None, 64, 96, 3)
    images = random_images(1, 64, 96)
    np.testing.assert_allclose(outputs(fixed, images), outputs(open_network, images), atol=1e-5)
    # A size that changes between calls, in one traced graph.
    for height, width in ((64, 96), (96, 160)):
        images = random_images(1, height, width)
        traced = open_network.predict(images, verbose=0)
        np.testing.assert_allclose(traced, outputs(open_network, images), atol=1e-4)


def test_sizes_that_are_no_multiples_of_32():
    with pytest.raises(ValueError, match=r"multiples of 32\. Received: input_size=\(64, 100\)"):
        small_network([BRANCH_8], input_size=(64, 100))
    # 72 / 8 = 9 rows: the skip of stride 2 pairs even and odd ones.
    with pytest.raises(ValueError, match="multiple of 32"):
        small_network([BRANCH_32])(random_images(1, 72, 64))


@pytest.mark.parametrize("auxiliary_heads", [False, True])
def test_save_and_load(tmp_path, auxiliary_heads):
    network = small_network(ALL_BRANCHES, auxiliary_heads=auxiliary_heads)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert isinstance(loaded, FasterSegNetwork)
    assert loaded.genotype == network.genotype
    assert loaded.get_config() == network.get_config()
    images = random_images(1, 64, 64)
    found = outputs(loaded, images), outputs(network, images)
    keras.tree.map_structure(np.testing.assert_array_equal, *found)


def test_config():
    genotype = make_genotype([BRANCH_16], HALF)
    network = FasterSegNetwork(genotype, 5, auxiliary_heads=True, input_size=(64, 96), name="mine")
    assert network.get_config() == {
        "name": "mine",
        "trainable": True,
        "genotype": genotype.to_json(),
        "num_classes": 5,
        "auxiliary_heads": True,
        "input_size": (64, 96),
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "classes": None,
        "trained_on": None,
        "dropout": 0.0,
        "dtype": None,
    }
    copy = FasterSegNetwork.from_config(network.get_config())
    assert copy.get_config() == network.get_config()
    assert [w.shape for w in copy.weights] == [w.shape for w in network.weights]
    assert FasterSegNetwork(genotype.to_json()).genotype == genotype
    assert isinstance(copy.genotype, FasterSegGenotype)


def test_normalisation_is_kept_and_that_of_networks_saved_without_is_imagenets():
    genotype = make_genotype([BRANCH_16], HALF)
    network = FasterSegNetwork(genotype, 5, mean=(0.1, 0.2, 0.3), std=[0.4, 0.5, 0.6])
    config = network.get_config()
    copy = FasterSegNetwork.from_config(config)
    assert (copy.mean, copy.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    earlier = {name: value for name, value in config.items() if name not in ("mean", "std")}
    assert FasterSegNetwork.from_config(earlier).mean == (0.485, 0.456, 0.406)
    with pytest.raises(ValueError, match="`std` must be three numbers"):
        FasterSegNetwork(genotype, 5, std=(58, 57, 57))


def test_mixed_precision(tmp_path):
    policy = keras.DTypePolicy("mixed_bfloat16")
    for dtype in ("mixed_bfloat16", policy):
        network = small_network([BRANCH_16], auxiliary_heads=True, dtype=dtype)
        assert network.get_layer("stem").compute_dtype == "bfloat16"
        assert {weight.dtype for weight in network.weights} == {"float32"}
    images = random_images(1, 64, 64)
    exact = small_network([BRANCH_16], auxiliary_heads=True)
    exact.set_weights(network.get_weights())
    for name, logits in outputs(exact, images).items():
        rounded = outputs(network, images)[name]
        assert rounded.dtype == "float32"
        # bfloat16 has 8 bits, and the network some 15 convolutions.
        assert np.abs(rounded - logits).max() < 0.1 * np.abs(logits).max()
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert loaded.get_layer("stem").compute_dtype == "bfloat16"


def test_all_weights_train():
    network = small_network(ALL_BRANCHES, auxiliary_heads=True)
    labels = np.random.default_rng(0).integers(3, size=(2, 64, 64))
    network.compile(
        optimizer=keras.optimizers.SGD(1e-2),
        run_eagerly=True,
        loss=dict.fromkeys(
            ["scale_8", "scale_16", "scale_32"],
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        ),
    )
    before = [np.array(weight) for weight in network.trainable_variables]
    network.fit(
        random_images(2, 64, 64),
        {f"scale_{scale}": labels for scale in (8, 16, 32)},
        epochs=1,
        verbose=0,
    )
    for old, weight in zip(before, network.trainable_variables, strict=True):
        assert np.any(np.array(weight) != old), weight.path


def test_classes_and_training_images_survive_a_file(tmp_path):
    classes = Classes(("grass", "path"), ((1, 2, 3), (4, 5, 255)), ("255", "(0, 0, 0)"))
    trained_on = {"data_set": "yard", "splits": {"train": "abc"}}
    network = FasterSegNetwork(
        make_genotype([BRANCH_16], HALF), 2, classes=classes, trained_on=trained_on
    )
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert loaded.classes == classes
    assert loaded.trained_on == trained_on


def test_classes_must_name_every_class():
    with pytest.raises(ValueError, match="2 names for num_classes=3"):
        FasterSegNetwork(make_genotype([BRANCH_16], HALF), 3, classes=Classes(("a", "b")))
