"""The tool for released weights; the conversion itself is tested with its job."""

import dataclasses

import numpy as np
import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.released import network_assignments
from keras_fasterseg.spaces.fasterseg.released_table import load_released_table
from keras_fasterseg.spaces.registry import load_preset
from tests.shared import FIXTURES
from tests.spaces.fasterseg.released_state import random_state
from tests.tools.run_tool import run_tool, sentence


@pytest.fixture(scope="module")
def logits():
    """The published student's logits, by their released names."""
    raw = read_json(FIXTURES / "genotype_student.json")["raw"]
    return {name: np.asarray(value) for name, value in raw.items()}


def test_architecture(tmp_path, logits):
    weights, output = tmp_path / "arch_1.npz", tmp_path / "student.json"
    np.savez(weights, **logits)
    arguments = ("--kind=architecture", f"--weights={weights}", f"--output={output}")
    finished = run_tool("convert_reference", *arguments, "--reference_quirks")
    assert finished.status == 0, finished
    assert finished.stdout.splitlines() == [
        *("converted: 8", "missing: 0", "unused: 0", "dead: 0"),
        f"Converted into {output}",
    ]
    assert FasterSegGenotype.load(output) == load_preset("fasterseg_student")

    finished = run_tool("convert_reference", *arguments, "--branch_scales=8,32")
    assert finished.status == 0, finished
    assert [branch.scale for branch in FasterSegGenotype.load(output).branches] == [8, 32]


def test_what_is_not_an_architecture_is_not_written(tmp_path, logits):
    weights, output = tmp_path / "arch_1.npz", tmp_path / "student.json"
    arguments = ("--kind=architecture", f"--weights={weights}", f"--output={output}")
    names = [*logits]
    for changed in (
        {name: logits[name] for name in names[1:]},
        {**logits, "alpha_1_7": logits[names[0]]},
    ):
        np.savez(weights, **changed)
        assert f"{output} was not written" in sentence(run_tool("convert_reference", *arguments))
        assert not output.exists()
    finished = run_tool("convert_reference", *arguments, "--allow_partial")
    assert "--allow_partial needs --kind=network or --kind=supernet" in sentence(finished)


def test_latency_table(tmp_path):
    released, output = FIXTURES / "latency_1080ti_trt5.json", tmp_path / "table.json"
    arguments = ("--kind=latency_table", f"--weights={released}", f"--output={output}")
    finished = run_tool("convert_reference", *arguments)
    assert finished.status == 0, finished
    assert finished.stdout.splitlines()[0] == "converted: 667"
    assert LatencyTable.load(output) == load_released_table(released)
    assert run_tool("convert_reference", *arguments, "--reference_quirks").status == 0
    dearer = OpKey.parse("conv_2x_downup:128x256:64->64/1")
    charged, own = LatencyTable.load(output), load_released_table(released)
    assert charged[dearer] == own[dataclasses.replace(dearer, operation="conv_2x")] != own[dearer]

    cut = tmp_path / "cut.json"
    cut.write_bytes(released.read_bytes()[:2000])
    foreign = tmp_path / "foreign.json"
    foreign.write_text('{"table": {"Pool_H1_W1_Cin1_stride1": 1.0}}')
    for path, message in (
        (cut, f"{cut} is not a JSON file"),
        (foreign, f"{foreign} is not the released latency table: 'Pool_H1_W1_Cin1_stride1'"),
        (output, f"{output} is not the released latency table: it has no object `table`"),
    ):
        wrong = ("--kind=latency_table", f"--weights={path}", f"--output={tmp_path}/other.json")
        assert message in sentence(run_tool("convert_reference", *wrong))
        assert not (tmp_path / "other.json").exists()


def test_leftovers_are_named_and_end_in_failure(tmp_path):
    weights, output = tmp_path / "weights.npz", tmp_path / "network.keras"
    network = FasterSegNetwork(load_preset("fasterseg_student"), auxiliary_heads=True)
    state = random_state(network_assignments(network))
    state["extra.bias"] = state.pop("ffm.conv_1x1.bn.bias")
    np.savez(weights, **state)
    arguments = (f"--weights={weights}", f"--output={output}")
    finished = run_tool("convert_reference", *arguments)
    assert "1 weights are missing and 1 unused" in sentence(finished)
    assert "missing: 1\n  ffm.conv_1x1.bn.bias\nunused: 1\n  extra.bias\n" in finished.stdout
    assert not output.exists()
    assert run_tool("convert_reference", *arguments, "--allow_partial").status == 0
    assert output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--weights=gone.npz", "--output=a.keras"), "The weight file gone.npz does not exist"),
        (("--weights=gone.npz", "--output=a.h5"), "must be a .keras file"),
        (("--weights=gone.npz", "--output=a.keras", "--kind=head"), "--kind"),
        (("--weights=gone.npz",), "--output"),
        (
            ("--weights=gone.json", "--output=a.json", "--kind=latency_table"),
            "The file gone.json does not exist",
        ),
        (
            ("--weights=gone.json", "--output=a.npz", "--kind=latency_table"),
            "must be a .json file",
        ),
        (("--weights=gone.npz", "--output=a.keras", "--genotype=gone"), "neither a preset"),
    ],
)
def test_wrong_flags(arguments, message):
    assert message in sentence(run_tool("convert_reference", *arguments))


def test_output_that_cannot_be_written(tmp_path, logits):
    weights = tmp_path / "arch_1.npz"
    np.savez(weights, **logits)
    output = f"--output={weights}/student.json"
    finished = run_tool("convert_reference", "--kind=architecture", f"--weights={weights}", output)
    assert str(weights) in sentence(finished)
