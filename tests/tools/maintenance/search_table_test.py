"""The tables of searches, of files written by hand."""

import pytest

from keras_fasterseg.files import write_json
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from keras_fasterseg.spaces.fasterseg.genotype import (
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)
from tests.tools.maintenance.markdown_rows import rows
from tools.maintenance.search_table import search_markdown


def student(primitive="conv"):
    deep = (
        CellGenotype(0, 8, primitive, 1, 1.0),
        CellGenotype(1, 8, "conv_2x", 2, 0.5),
        CellGenotype(2, 16, "conv", 2, 0.5),
        CellGenotype(3, 32, "conv", 1, 1.0),
    )
    shallow = (CellGenotype(0, 8, primitive, 1, 1.0), CellGenotype(3, 8, "conv", 1, 1.0))
    branches = (BranchGenotype(32, deep), BranchGenotype(8, shallow))
    return FasterSegGenotype("fasterseg", 6, 4, 1.0, 1.0, branches)


def make_search(folder, band, records, primitive="conv", penalty="auto"):
    search = folder / "search"
    write_json(
        search / "search.json",
        [
            {
                "fps_band": band,
                "penalty_weight": weight,
                "student": {
                    "fps_predicted": {"scale_8_32": fps, "scale_16_32": fps + 1},
                    "supernet_miou": {"scale_8_32": 0.1234, "scale_16_32": 0.2},
                },
            }
            for weight, fps in records
        ],
    )
    student(primitive).save(search / "student.json")
    fingerprint = Fingerprint("a CPU", "onnxruntime", "1.0", "float32", 2, 2)
    LatencyTable({}, TableMetadata("fasterseg", (64, 96), fingerprint)).save(
        search / "latency_table.json"
    )
    write_json(search / "stage.json", {"settings": {"search": {"penalty_shares": penalty}}})
    return folder


def test_two_searches(tmp_path):
    slow = make_search(tmp_path / "slow", [30.0, 35.0], [(0.5, 36.0), (0.25, 34.0)])
    fast = make_search(tmp_path / "fast", [40.0, 45.5], [(2.0, 36.0)], "skip", "undivided")
    row = {
        "times": {"p50_ms": 24.2},
        "environment": {},
        "scope": "network",
        "harness_version": 2,
        "input_size": [64, 96],
        "batch_size": 1,
        "fps": 41.26,
        "runner": {"runtime": "onnxruntime", "threads": 2, "genotype": student("skip").id},
    }
    # At another size or on another runtime nothing was predicted.
    elsewhere = {**row, "runner": {**row["runner"], "runtime": "keras"}, "fps": 2.0}
    larger = {**row, "input_size": [128, 128], "fps": 3.0}
    benchmark = tmp_path / "pair.json"
    write_json(benchmark, {"results": [row, elsewhere, larger]})
    text = search_markdown([slow, fast], [benchmark])
    assert rows(text)[1:3] == [
        [
            *("slow", "30 to 35", "auto", "34.0", "", "6", "0.83"),
            *("conv 5, conv_2x 1", "12.3"),
        ],
        [
            *("fast", "40 to 45.5", "undivided", "36.0", "41.3", "6", "0.83"),
            *("skip 2, conv 3, conv_2x 1", "12.3"),
        ],
    ]
    assert "onnxruntime 1.0, 64x96, 2 threads of a CPU" in text
    assert rows(text)[3:] == [
        ["epoch", "slow: predicted FPS", "λ", "fast: predicted FPS", "λ"],
        ["1", "36.0, 37.0", "0.5", "36.0, 37.0", "2"],
        ["2", "34.0, 35.0", "0.25", "", ""],
    ]


def test_a_search_that_is_not_finished(tmp_path):
    folder = make_search(tmp_path / "begun", [1.0, 2.0], [(1.0, 1.5)])
    (folder / "search" / "student.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"student\.json"):
        search_markdown([folder])
