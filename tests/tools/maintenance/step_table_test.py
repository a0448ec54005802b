"""The table of steps of supernets, of files written by hand."""

import pytest

from keras_fasterseg.files import write_json
from tests.tools.maintenance.markdown_rows import rows
from tools.maintenance.step_table import step_markdown


def write(path, cores=2, **jobs):
    write_json(path, {"images": [4, 128, 192, 3], "available_cores": cores, "jobs": jobs})
    return path


PRETRAINING = {"compile_seconds": 30.0, "step_seconds": 2.0, "peak_memory_gb": 6.24}
SEARCH = {"compile_seconds": 15.0, "step_seconds": 0.5, "peak_memory_gb": 5.0}


def test_two_supernets(tmp_path):
    one = write(tmp_path / "one.json", pretrain=PRETRAINING, search=SEARCH)
    other = write(tmp_path / "other.json", search={**SEARCH, "pruned_step_seconds": 0.125})
    text = step_markdown([one, other])
    assert "4 random crops of 128x192 a step on 2 cores" in text
    assert rows(text)[-3:] == [
        ["one", "pretrain", "30", "2.00", "", "6.2", "5.5"],
        ["one", "search", "15", "0.50", "", "5.0", "1.5"],
        ["other", "search", "15", "0.50", "0.12", "5.0", "1.5"],
    ]


def test_files_of_one_name(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    files = [write(tmp_path / folder / "step.json", search=SEARCH) for folder in ("a", "b")]
    assert len([row for row in rows(step_markdown(files)) if row[0] == "step"]) == 2


def test_measurements_that_cannot_be_compared(tmp_path):
    one, other = (write(tmp_path / f"{cores}.json", cores, search=SEARCH) for cores in (1, 2))
    with pytest.raises(ValueError, match="different images or cores"):
        step_markdown([one, other])
