"""Scores and speed of a small network on small generated videos."""

import json

import pytest

from keras_fasterseg.video_objects.generated_sequences import GeneratedSequences, generate
from tests.tools.run_tool import run_tool, sentence
from tests.video_objects.lively_network import SIZE, lively_network
from tools.maintenance.video_table import video_markdown

METHODS = (
    "first mask copied",
    "foreground components, IoU",
    "lively, without embeddings",
    "lively",
)


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video")
    settings = GeneratedSequences(num_train=1, num_val=2, frames=3, size=SIZE)
    generate(folder / "videos", settings, progress=False)
    lively_network().save(folder / "network.keras")
    return (
        *("benchmarks.video_objects", f"--networks=lively={folder}/network.keras"),
        *(f"--data_dir={folder}/videos", "--frames=2"),
    )


def test_scores_and_speed(call, tmp_path):
    output = tmp_path / "video.json"
    finished = run_tool(*call, f"--output={output}", f"--sheet={tmp_path}/sheet.jpg")
    assert finished.status == 0, finished.stderr
    facts = json.loads(output.read_text("utf-8"))
    assert tuple(row["method"] for row in facts["scores"]) == METHODS
    assert all(0 <= row["J&F"] <= 100 for row in facts["scores"])
    assert [row["runtime"] for row in facts["speed"]] == ["keras", "saved_model", "onnx"]
    assert all(row["loop ms"] > row["tracker ms"] > 0 for row in facts["speed"])
    assert (facts["sequences"], facts["frames"]) == (2, 6)
    assert (tmp_path / "sheet.jpg").is_file()
    assert "lively, without embeddings" in video_markdown(output)


def test_wrong_flags_end_before_the_scores(call, tmp_path):
    output = f"--output={tmp_path}/video.json"
    cases = {
        "--sizes=480x854": "multiples of 32",
        "--networks=network.keras": "entries of the form NAME=PATH",
        "--split=test": "has no split 'test'",
    }
    for flag, words in cases.items():
        assert words in sentence(run_tool(*call, flag, output)), flag
    assert not (tmp_path / "video.json").exists()
