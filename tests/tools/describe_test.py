"""The tool that describes a network."""

import json
import subprocess
import sys

import pytest

from keras_fasterseg.spaces.fasterseg.genotype import FasterSegGenotype
from keras_fasterseg.spaces.fasterseg.released_table import load_released_table
from keras_fasterseg.spaces.registry import load_preset
from tests.shared import FIXTURES, ROOT
from tests.tools.run_tool import run_tool, sentence


def described(*arguments):
    finished = run_tool("describe", "--json", *arguments)
    assert finished.status == 0, finished
    return json.loads(finished.stdout)


@pytest.mark.parametrize(
    ("preset", "inference", "training", "macs"),
    [
        ("fasterseg_student", 3421875, 4352921, 27770486784),
        ("fasterseg_teacher", 22115203, 23450409, 107778932736),
    ],
)
def test_published_networks_as_json(preset, inference, training, macs):
    value = described(f"--genotype={preset}")
    assert value.pop("stages")
    assert value == {
        "genotype": preset,
        "id": load_preset(preset).id,
        "space": "fasterseg",
        "branches": [2, 1],
        "branch_scales": [32, 16],
        "input_size": [1024, 2048],
        "num_classes": 19,
        "parameters_inference": inference,
        "parameters_training": training,
        "macs": macs,
    }


def test_tables_from_a_file_with_predicted_latency(tmp_path):
    load_preset("fasterseg_student").save(tmp_path / "mine.json")
    released = load_released_table(FIXTURES / "latency_1080ti_trt5.json")
    released.save(tmp_path / "table.json")
    finished = run_tool(
        "describe", f"--genotype={tmp_path}/mine.json", f"--latency_table={tmp_path}/table.json"
    )
    assert finished.status == 0, finished
    assert "27,770,486,784" in finished.stdout
    # 1000 / 5.701835681642834 frames a second.
    assert "5.702" in finished.stdout
    assert "175.4" in finished.stdout
    assert (
        "tensorrt 5.1.5 on NVIDIA GeForce GTX 1080 Ti, float32, default threads, "
        "measured by others" in finished.stdout
    )


def test_the_released_table_as_it_is():
    released = FIXTURES / "latency_1080ti_trt5.json"
    arguments = ("--genotype=fasterseg_student", f"--latency_table={released}")
    finished = run_tool("describe", "--json", *arguments)
    value = json.loads(finished.stdout)
    # The golden number of the released table.
    assert value["latency_ms_predicted"] == pytest.approx(5.701835681642834, rel=1e-12)
    shares = [row.get("latency_share", 0.0) for row in value["stages"]]
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert finished.stderr.count("was measured on NVIDIA GeForce GTX 1080 Ti") == 1

    finished = run_tool("describe", "--json", "--reference_quirks", *arguments)
    charged = json.loads(finished.stdout)["latency_ms_predicted"]
    assert charged == pytest.approx(6.413977051133728, rel=1e-12)

    message = sentence(run_tool("describe", *arguments, "--input_size=512x1024"))
    assert message == (
        f"describe.py: {released} is for images of 1024x2048, not 512x1024; use the same size for "
        "both."
    )


def test_as_a_program_of_its_own():
    # The real command line once; the other tests fork a process that is imported already.
    command = [sys.executable, "-m", "tools.describe", "--genotype=student", "--input_size=64x64"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr
    assert finished.stderr.strip().splitlines()[-1] == (
        "describe.py: 'student' is neither a preset (fasterseg_student, fasterseg_teacher, "
        "joint_published) nor a genotype file."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--genotype"),
        (("--genotype=fasterseg_student", "--input_size=1024"), "expected HEIGHTxWIDTH"),
        (("--genotype=fasterseg_student", "--input_size=100x200"), "multiples of 32"),
        (("--genotype=fasterseg_student", "--num_classes=0"), "needs at least one class"),
        (("--genotype=fasterseg_student", "--sizes=1"), "Unknown command line flag 'sizes'"),
        (("fasterseg_student", "--genotype=fasterseg_student"), "unexpected argument"),
        (
            ("--genotype=fasterseg_student", "--latency_table=gone.json"),
            "file gone.json does not exist",
        ),
    ],
)
def test_wrong_flags(arguments, message):
    assert message in sentence(run_tool("describe", *arguments))


def test_genotype_of_another_space(tmp_path):
    value = load_preset("fasterseg_student").to_json() | {"space": "unheard_of"}
    path = tmp_path / "other.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    message = sentence(run_tool("describe", f"--genotype={path}"))
    assert f"{path} is not a valid genotype: Unknown search space 'unheard_of'; choose" in message


def test_genotype_that_was_edited(tmp_path):
    path = tmp_path / "edited.json"
    load_preset("fasterseg_student").save(path)
    value = json.loads(path.read_text(encoding="utf-8")) | {"num_layers": 17}
    path.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(ValueError, match="stored id"):
        FasterSegGenotype.load(path)
    assert "stored id" in sentence(run_tool("describe", f"--genotype={path}"))
