"""The tables of latencies, of files written by hand."""

import pytest

from keras_fasterseg.files import write_json
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import Fingerprint, TableMetadata
from tests.latency.interpolated_operation import conv
from tests.tools.maintenance.markdown_rows import rows
from tests.tools.maintenance.search_table_test import make_search
from tools.maintenance import results, speed_table

MEASUREMENT = {
    "times": {
        "p50_ms": 50.0,
        "p90_ms": 60.0,
        "p99_ms": 70.0,
        "mean_ms": 51.0,
        "trimmed_mean_ms": 50.5,
        "repetitions": 30,
    },
    "fps": 20.0,
    "input_size": [64, 128],
    "batch_size": 1,
    "runner": {
        "runtime": "keras",
        "version": "1",
        "precision": "float32",
        "threads": 2,
        "device": "CPU",
    },
    "settings": {"in_turns_with": ["keras", "onnxruntime"]},
    "environment": {"cpu": "a CPU"},
    "scope": "network+argmax",
    "scope_description": "what was timed",
    "harness_version": 2,
    "artefact": "fasterseg_student",
    "peak_macs_per_second": 100e9,
    "macs_per_second": 40e9,
    "share_of_peak": 0.4,
    "memory_peak_mib": 900.4,
    "speedup": 1.0,
    "speedup_interval": [1.0, 1.0],
    "command": "python -m tools.benchmark",
}
OTHER = {
    **MEASUREMENT,
    "fps": 40.0,
    "runner": {**MEASUREMENT["runner"], "runtime": "onnxruntime", "version": "2"},
    "memory_peak_mib": None,
    "macs_per_second": None,
    "share_of_peak": None,
    "speedup": 2.0,
    "speedup_interval": [1.5, 2.5],
}
AGREEMENT = {
    "spearman": 0.9876,
    "median_relative_error": 0.0512,
    "worst_relative_error": 0.2,
    "networks": 20,
}


def make_table(folder):
    fingerprint = Fingerprint("a CPU", "saved_model", "2.21.0", "float32", 2, 3)
    metadata = TableMetadata("fasterseg", (64, 128), fingerprint)
    row = {OpKey("conv", 64, 128, 32, 48, 1): LatencyRow(0.5, 0.25, 0.75, 50)}
    LatencyTable(row, metadata).save(folder / "latency" / "latency_table.json")
    value = {"sum": AGREEMENT, "calibrated": {**AGREEMENT, "spearman": 1.0}}
    write_json(folder / "latency" / "verification.json", value)
    write_json(folder / "latency" / "stage.json", {"minutes": 12.345})
    return folder


def test_runtimes_side_by_side(tmp_path):
    file = tmp_path / "runtimes.json"
    write_json(file, {"results": [MEASUREMENT, OTHER], "harness_version": 2, "command": "c"})
    text = speed_table.benchmark_markdown(file)
    header, first, second = rows(text)
    assert tuple(header) == speed_table.BENCHMARK_HEADERS
    assert first == [
        *("fasterseg_student", "64x128", "keras", "50.0", "60.0", "20.0", "1.00 [1.00, 1.00]"),
        *("40.0", "40", "900"),
    ]
    assert second[2:] == ["onnxruntime", "50.0", "60.0", "40.0", "2.00 [1.50, 2.50]", "", "", ""]
    for part in (
        "what was timed",
        "2 threads of a CPU",
        "100 GMAC/s at 64x128",
        "harness version 2",
    ):
        assert part in text
    assert "keras (1), onnxruntime (2)" in text


@pytest.mark.parametrize(
    ("artefacts", "title", "names"),
    [
        (("runs/a/onnx_fp32", "runs/a/onnx_fp16"), ": runs/a", ["onnx_fp32", "onnx_fp16"]),
        (("runs/a/student.json", "runs/b/student.json"), ": runs", ["a/student.json"]),
        (("fasterseg_student", "runs/a"), "", ["fasterseg_student", "runs/a"]),
        (("a/b", "a/b/c"), ": a", ["b", "b/c"]),
    ],
)
def test_the_folder_that_all_networks_lie_in_is_said_once(tmp_path, artefacts, title, names):
    measurements = [{**MEASUREMENT, "artefact": artefact} for artefact in artefacts]
    write_json(tmp_path / "speed.json", {"results": measurements})
    text = speed_table.benchmark_markdown(tmp_path / "speed.json")
    assert text.partition("\n")[0] == f"### Networks side by side{title}"
    assert [row[0] for row in rows(text)[1:]][: len(names)] == names


def test_a_file_of_another_kind(tmp_path):
    write_json(tmp_path / "other.json", {"rows": []})
    with pytest.raises(ValueError, match=r"other\.json"):
        speed_table.benchmark_markdown(tmp_path / "other.json")


def test_verified_tables(tmp_path):
    folder = make_table(tmp_path / "device")
    _, first, second = rows(speed_table.verification_markdown([folder]))
    assert first == [
        *("saved_model 2.21.0", "64x128", "1", "12.3", "3"),
        *("sum", "20", "0.988", "5.1 %", "20.0 %"),
    ]
    assert second == ["", "", "", "", "", "calibrated", "20", "1.000", "5.1 %", "20.0 %"]


def test_the_error_of_interpolated_rows_follows(tmp_path):
    folder = make_table(tmp_path / "device")
    path = folder / "latency" / "latency_table.json"
    # The chord from 1 at 16 to 2 at 32 filters is 1.5 at 24, and 1.25 at 20.
    latencies = {16: 1.0, 32: 2.0, 24: 1.2, 20: 1.0}
    table = LatencyTable(
        {conv(16, n): LatencyRow(*[ms] * 3, repetitions=1) for n, ms in latencies.items()},
        LatencyTable.load(path).metadata,
    )
    table.save(path)
    *_, last = rows(speed_table.verification_markdown([folder]))
    assert last == [*[""] * 5, "interpolated rows", "2 operations", "", "25.0 %", "25.0 %"]


def test_they_stand_between_the_markers(tmp_path):
    document = tmp_path / "page.md"
    document.write_text(f"a\n{results.BEGIN}\n{results.END}\nb\n", encoding="utf-8")
    search = make_search(tmp_path / "s", [1.0, 2.0], [(1.0, 1.5)])
    table = make_table(tmp_path / "t")
    written = results.update_document(document, [], [], [table], [search])
    text = document.read_text(encoding="utf-8")
    assert text == f"a\n{results.BEGIN}\n{written}\n{results.END}\nb\n"
    assert written.index("random networks") < written.index("Searches from one supernet")
    with pytest.raises(FileNotFoundError, match=r"latency_table\.json"):
        results.update_document(document, [], tables=[tmp_path / "s"])
