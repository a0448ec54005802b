"""Tables of video object segmentation."""

from keras_fasterseg.files import write_json
from tests.tools.maintenance.markdown_rows import rows
from tools.maintenance.video_table import video_markdown


def test_scores_and_speed(tmp_path):
    score = {"method": "followed", "J&F": 71.25, "J mean": 70.0, "F mean": 72.5}
    speed = {
        "size": "128x224",
        "frames": "480x854",
        "runtime": "onnx",
        "threads": 2,
        "network ms": 20.0,
        "loop ms": 25.0,
        "tracker ms": 2.0,
        "network FPS": 50.0,
        "loop FPS": 40.0,
    }
    facts = {
        "scores": [score],
        "speed": [speed],
        "split": "val",
        "sequences": 3,
        "frames": 72,
        "parameters": 12345,
        "harness_version": 3,
        "environment": {"cpu": "A CPU"},
    }
    write_json(tmp_path / "generated.json", facts)
    text = video_markdown(tmp_path / "generated.json")
    assert text.startswith("### Video object segmentation: generated\n")
    assert "3 sequences with 72 frames of the split val" in text
    assert "12,345 parameters" in text
    assert "A CPU, 2 threads" in text
    assert "harness version 3" in text
    assert ["followed", "71.2", "70.0", "72.5"] in rows(text)
    assert ["128x224", "480x854", "onnx", "20.0", "2.0", "25.0", "50.0", "40.0"] in rows(text)
