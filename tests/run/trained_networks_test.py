"""Networks from files, which nobody vouches for."""

import dataclasses
import json
import zipfile

import keras
import numpy as np
import pytest

from keras_fasterseg.run.trained_networks import initialize_network, load_network
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork

CELLS = (
    CellGenotype(0, 8, "conv", 1, 0.5),
    CellGenotype(1, 8, "skip", 2, 0.5),
    CellGenotype(2, 16, "conv", 1, 0.5),
)
GENOTYPE = FasterSegGenotype("fasterseg", 2, 4, 0.5, 0.5, (BranchGenotype(16, CELLS),))


def make(num_classes=3, genotype=GENOTYPE, seed=0):
    """A network whose weights are all random, statistics too."""
    network = FasterSegNetwork(genotype, num_classes, auxiliary_heads=True)
    generator = np.random.default_rng(seed)
    network.set_weights([generator.uniform(0.1, 1, w.shape) for w in network.weights])
    return network


@pytest.fixture(scope="module")
def trained():
    return make()


@pytest.fixture
def path(trained, tmp_path):
    trained.save(tmp_path / "network.keras")
    return tmp_path / "network.keras"


def test_the_same_classes_take_everything_over(trained, path):
    network = make(seed=1)
    transfer = initialize_network(network, path)
    assert transfer.anew == ()
    for weight, value in zip(network.weights, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, value)
    count = len({weight.path.rpartition("/")[0] for weight in network.weights})
    expected = f"{count} of {count} layers start with the weights of {path}."
    assert transfer.sentence(path) == expected


def test_with_other_classes_the_classifiers_begin_anew(trained, path):
    network = make(num_classes=5, seed=1)
    before = {weight.path: np.array(weight) for weight in network.weights}
    transfer = initialize_network(network, path)
    classifiers = {"head/classifier", "auxiliary_head_16/classifier"}
    assert set(transfer.anew) == classifiers
    assert "; random weights in " in transfer.sentence(path)
    sources = {weight.path: np.array(weight) for weight in trained.weights}
    for weight in network.weights:
        anew = weight.path.rpartition("/")[0] in classifiers
        expected = before[weight.path] if anew else sources[weight.path]
        np.testing.assert_array_equal(weight, expected)


def test_another_genotype_is_refused_by_name(path):
    cells = (*CELLS[:2], dataclasses.replace(CELLS[2], primitive="conv_2x"))
    other = dataclasses.replace(GENOTYPE, branches=(BranchGenotype(16, cells),))
    network = make(genotype=other, seed=1)
    before = network.get_weights()
    with pytest.raises(ValueError, match=f"genotype {GENOTYPE.id}, but genotype {other.id}"):
        initialize_network(network, path)
    for weight, value in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"The trained network .* does not exist"):
        load_network(tmp_path / "gone.keras")


def test_a_network_of_something_else(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"declares None|declares 'Sequential'"):
        load_network(tmp_path / "other.keras")


def test_a_file_that_is_cut_short(path):
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="not a trained network of this package"):
        load_network(path)


@pytest.mark.parametrize("member", ["model.weights.npz", "assets/code.py"])
def test_a_file_with_more_than_a_network(path, member):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, b"anything")
    with pytest.raises(ValueError, match=f"it contains '{member}'"):
        load_network(path)


def test_a_lambda_never_runs(path, tmp_path):
    """Neither in place of the network nor in place of its dtype."""
    code = keras.saving.serialize_keras_object(lambda x: 1 / 0)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["dtype"] = code
    members["config.json"] = json.dumps(config).encode()
    evil = tmp_path / "evil.keras"
    with zipfile.ZipFile(evil, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="not a trained network of this package"):
        load_network(evil)
