"""Files of the released code into ours."""

import numpy as np
import pytest
from keras_fasterseg.search.supernets import build_search_space

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
from keras_fasterseg.spaces.fasterseg.presets import load_preset
from keras_fasterseg.spaces.fasterseg.reference import ConversionReport
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from tests.shared import load_fixture, shared_path
from tests.spaces.fasterseg.released_state import released_state, released_supernet

SMALL = FasterSegSettings(num_layers=6, base_filters=6)


@pytest.fixture(scope="module")
def student_state():
    """The released student's tensors by state-dict name."""
    return released_state(load_fixture("net_student"))


def save(path, state):
    np.savez(path, **state)
    return path


def test_the_released_student_answers_as_released(tmp_path):
    output = tmp_path / "network.keras"
    weights = shared_path("fixtures/net_student.npz")
    report = convert_network(weights, load_preset("fasterseg_student"), output)
    assert is_complete(report)
    assert report.dead
    network = load_network(output)
    assert network.auxiliary_heads
    images = load_fixture("input_256x512")["x_nhwc"]
    logits = np.asarray(network.without_auxiliary_heads()(images, training=False))
    expected = load_fixture("net_student")["eval/pred8_post_sub_nhwc"]
    # Twice what was seen; the released network itself is off by 4.6e-4, float32 against float64.
    np.testing.assert_allclose(logits[:, ::7, ::5], expected, atol=2 * 2.8e-4)


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


def test_weights_of_another_genotype(tmp_path):
    weights = shared_path("fixtures/net_teacher.npz")
    with pytest.raises(ValueError, match="is the genotype that of these weights"):
        convert_network(weights, load_preset("fasterseg_student"), tmp_path / "network.keras")


def test_weights_of_another_kind(tmp_path):
    supernet, network = (
        shared_path(f"fixtures/{name}.npz") for name in ("supernet_L6_F6", "net_student")
    )
    with pytest.raises(ValueError, match="is no released network: it has no tensor heads8"):
        convert_network(supernet, load_preset("fasterseg_student"), tmp_path / "network.keras")
    with pytest.raises(ValueError, match="is no released supernet: it has no tensor head0"):
        convert_supernet(network, SMALL, tmp_path / "supernet.weights.h5")


@pytest.mark.parametrize("name", ["network.h5", "network", "network.keras.json"])
def test_output_of_another_suffix(tmp_path, name):
    with pytest.raises(ValueError, match=rf"must be a \.keras file. Received: .*{name}"):
        convert_network("unread.npz", load_preset("fasterseg_student"), tmp_path / name)


def test_a_supernet_loads_where_a_search_begins(tmp_path):
    output = tmp_path / "supernet.weights.h5"
    report = convert_supernet(shared_path("fixtures/supernet_L6_F6.npz"), SMALL, output)
    assert is_complete(report)
    supernet = build_search_space(SMALL, num_classes=19, seed=5).supernet
    supernet.load_weights(output)
    expected = released_supernet(load_fixture("supernet_L6_F6"), blend="inputs")
    for weight, other in zip(supernet.weights, expected.weights, strict=True):
        if "seed" not in weight.path:
            np.testing.assert_array_equal(weight, other)


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_released_logits_decode_to_the_published_network(tmp_path, role):
    raw = read_json(shared_path(f"fixtures/genotype_{role}.json"))["raw"]
    weights = save(tmp_path / "arch.npz", {name: np.asarray(each) for name, each in raw.items()})
    output = tmp_path / f"{role}.json"
    report = convert_architecture(weights, role, FasterSegSettings(), output, reference_quirks=True)
    assert is_complete(report)
    assert FasterSegGenotype.load(output) == load_preset(f"fasterseg_{role}")


def test_logits_that_are_missing_write_nothing(tmp_path):
    raw = read_json(shared_path("fixtures/genotype_student.json"))["raw"]
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
