import pytest

from keras_fasterseg.files import read_json
from tests.tools.run_tool import run_tool, sentence


@pytest.mark.slow
@pytest.mark.backends("tensorflow")
def test_the_sums_of_a_training_and_the_bytes_that_two_workers_send(tmp_path):
    finished = run_tool(
        "benchmarks.communication",
        *("--job=train", "--num_classes=3", "--image_size=64x64", "--steps=2", "--loopback"),
        f"--output={tmp_path}/found.json",
    )
    assert finished.status == 0, finished
    value = read_json(tmp_path / "found.json")
    assert value["images"] == [12, 64, 64, 3]
    assert value["sums"]["gradients"]["bytes"] == 4 * value["parameters"]
    # A ring of two sends every byte once; headers and other programs add some.
    usual = sum(each["bytes"] for kind, each in value["sums"].items() if kind != "hard_pixels")
    assert 0.9 * usual < value["loopback_bytes"]
    assert [len(steps) for steps in value["steps"].values()] == [2, 2]
    assert all(seconds > 0 for seconds in value["step_seconds"].values())


def test_a_job_that_does_not_exist():
    assert "job" in sentence(run_tool("benchmarks.communication", "--job=sleep"))
