"""Files of the released code into ours."""

import numpy as np
import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.jobs.convert_reference import (
    convert_architecture,
    convert_network,
    convert_supernet,
    is_complete,
    report_text,
)
from keras_fasterseg.jobs.train import load_network
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.released import (
    ConversionReport,
    load_released_network,
    load_released_supernet,
    network_assignments,
    supernet_assignments,
)
from keras_fasterseg.spaces.fasterseg.search_model import FasterSegSearch
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.registry import load_preset
from tests.shared import FIXTURES
from tests.spaces.fasterseg.released_state import random_state

SMALL = FasterSegSettings(num_layers=4, base_filters=2)


def student():
    return FasterSegNetwork(load_preset("fasterseg_student"), auxiliary_heads=True)


@pytest.fixture(scope="module")
def student_state():
    """Random tensors by the names of the released student's."""
    return random_state(network_assignments(student()))


@pytest.fixture(scope="module")
def supernet():
    return FasterSegSearch(SMALL, num_classes=3, seed=0).supernet


@pytest.fixture(scope="module")
def supernet_state(supernet):
    return random_state(supernet_assignments(supernet))


def save(path, state):
    np.savez(path, **state)
    return path


def test_the_file_of_a_student_holds_its_weights(tmp_path, student_state):
    output, weights = tmp_path / "network.keras", save(tmp_path / "weights.npz", student_state)
    assert is_complete(convert_network(weights, load_preset("fasterseg_student"), output))
    network, expected = load_network(output), student()
    assert network.auxiliary_heads
    load_released_network(expected, student_state)
    for weight, other in zip(network.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_without_auxiliary_heads_there_are_none(tmp_path, student_state):
    state = {
        name: value
        for name, value in student_state.items()
        if not name.startswith(("heads16", "heads32"))
    }
    output = tmp_path / "network.keras"
    weights = save(tmp_path / "weights.npz", state)
    assert is_complete(convert_network(weights, load_preset("fasterseg_student"), output))
    assert not load_network(output).auxiliary_heads


def test_shared_cells_may_be_saved_once_for_every_branch(tmp_path, student_state):
    repeated = {
        name.replace("cells.0-0.", "cells.0-1."): value
        for name, value in student_state.items()
        if name.startswith("cells.0-0.")
    }
    assert repeated
    genotype, output = load_preset("fasterseg_student"), tmp_path / "network.keras"
    weights = save(tmp_path / "weights.npz", student_state | repeated)
    assert is_complete(convert_network(weights, genotype, output))

    # With other values it is not the cell that ours shares.
    name = min(name for name in repeated if name.endswith("bn1.bias"))
    other = {name: repeated[name] + 1}
    weights = save(tmp_path / "weights.npz", student_state | repeated | other)
    report = convert_network(weights, genotype, tmp_path / "other.keras")
    assert report.unused == (name,)
    assert not (tmp_path / "other.keras").exists()


def test_what_is_left_over_is_written_on_demand_only(tmp_path, student_state):
    state = {name: value for name, value in student_state.items() if name != "ffm.conv_1x1.bn.bias"}
    weights = save(tmp_path / "weights.npz", state)
    genotype, output = load_preset("fasterseg_student"), tmp_path / "network.keras"
    report = convert_network(weights, genotype, output)
    assert report.missing == ("ffm.conv_1x1.bn.bias",)
    assert not output.exists()
    assert convert_network(weights, genotype, output, allow_partial=True) == report
    assert output.exists()


def test_weights_of_another_genotype(tmp_path, student_state):
    weights = save(tmp_path / "weights.npz", student_state)
    with pytest.raises(ValueError, match="Use the genotype of these weights"):
        convert_network(weights, load_preset("fasterseg_teacher"), tmp_path / "network.keras")


@pytest.mark.backends("tensorflow", "jax")
def test_weights_of_another_kind(tmp_path, student_state, supernet_state):
    supernet = save(tmp_path / "supernet.npz", supernet_state)
    network = save(tmp_path / "network.npz", student_state)
    with pytest.raises(ValueError, match="is not a released network: it has no tensor heads8"):
        convert_network(supernet, load_preset("fasterseg_student"), tmp_path / "network.keras")
    with pytest.raises(ValueError, match="is not a released supernet: it has no tensor head0"):
        convert_supernet(network, SMALL, tmp_path / "supernet.weights.h5")


@pytest.mark.parametrize("name", ["network.h5", "network", "network.keras.json"])
def test_output_of_another_suffix(tmp_path, name):
    with pytest.raises(ValueError, match=rf"must be a \.keras file. Received: .*{name}"):
        convert_network("unread.npz", load_preset("fasterseg_student"), tmp_path / name)


@pytest.mark.backends("tensorflow", "jax")
def test_a_supernet_loads_where_a_search_begins(tmp_path, supernet, supernet_state):
    output, weights = tmp_path / "supernet.weights.h5", save(tmp_path / "a.npz", supernet_state)
    assert is_complete(convert_supernet(weights, SMALL, output))
    loaded = FasterSegSearch(SMALL, num_classes=3, seed=5).supernet
    loaded.load_weights(output)
    load_released_supernet(supernet, supernet_state)
    for weight, other in zip(loaded.weights, supernet.weights, strict=True):
        if "seed" not in weight.path:
            np.testing.assert_array_equal(weight, other)


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_released_logits_decode_to_the_published_network(tmp_path, role):
    raw = read_json(FIXTURES / f"genotype_{role}.json")["raw"]
    weights = save(tmp_path / "arch.npz", {name: np.asarray(each) for name, each in raw.items()})
    output = tmp_path / f"{role}.json"
    report = convert_architecture(weights, role, FasterSegSettings(), output, reference_quirks=True)
    assert is_complete(report)
    assert FasterSegGenotype.load(output) == load_preset(f"fasterseg_{role}")


def test_logits_that_are_missing_write_nothing(tmp_path):
    raw = read_json(FIXTURES / "genotype_student.json")["raw"]
    arrays = {name: np.asarray(each) for name, each in raw.items() if name != "beta_1_2"}
    weights = save(tmp_path / "arch.npz", arrays)
    output = tmp_path / "student.json"
    report = convert_architecture(weights, "student", FasterSegSettings(), output)
    assert report.missing == ("beta_1_2",)
    assert not output.exists()


def test_report_names_everything():
    report = ConversionReport(3, ("a",), (), ("b", "c"))
    assert report_text(report).splitlines() == [
        "converted: 3",
        *("missing: 1", "  a"),
        "unused: 0",
        *("dead: 2", "  b", "  c"),
    ]
