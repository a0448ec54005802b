import pytest

from keras_fasterseg.files import read_json
from tests.tools.run_tool import run_tool, sentence

PARTS = [
    "forward",
    "forward + backward, heads",
    "forward + backward, full size",
    "loss",
    "step",
]


@pytest.mark.slow
def test_every_part_of_a_step_is_timed_alone_and_beside_a_teacher(tmp_path):
    finished = run_tool(
        "benchmarks.training_step",
        *("--num_layers=4", "--base_filters=2", "--num_classes=3"),
        *("--batch_size=1", "--image_size=32x64", "--steps=1"),
        f"--output={tmp_path}/speed.json",
    )
    assert finished.status == 0, finished
    value = read_json(tmp_path / "speed.json")
    assert value["images"] == [1, 32, 64, 3]
    assert value["products_ms"] > 0
    assert list(value["results_ms"]) == ["alone", "distilled"]
    for parts in value["results_ms"].values():
        assert list(parts) == PARTS
        assert all(ms > 0 for ms in parts.values())
    # Two lines of headings, one a measurement, the facts.
    assert len(finished.stdout.splitlines()) == 2 + 2 + 1


def test_a_batch_of_nothing():
    finished = run_tool("benchmarks.training_step", "--batch_size=0")
    assert "batch_size" in sentence(finished)
