"""Tables of results."""

import pytest

from tests.tools.benchmarks.gpu.results_test import MACHINE
from tests.tools.maintenance.markdown_rows import rows
from tools.benchmarks.gpu.table import piece_tables


def value(measurements, **method):
    machines = [{**MACHINE, "cores": 2, "commands": []}]
    return {"method": method, "machines": machines, "measurements": measurements}


def network(model, runner, fps, **changes):
    return {
        "network": "net",
        "batch": 1,
        "precision": "fp16",
        "backend": "torch",
        "model": model,
        "runner": runner,
        "fps": fps,
        "share_of_peak": 0.25,
        "p50_ms": 1.0,
        "p90_ms": 2.0,
        "p99_ms": 3.0,
        "compile_seconds": 4.0,
        "peak_memory_bytes": 2**30,
        "equal_pixels": 0.5,
        "largest_logit_difference": 0.01,
        **changes,
    }


def test_frame_rates_are_compared_with_torch_compile_of_the_same_precision():
    measured = {
        "a": network("plain", "compile", 200.0),
        "b": network("keras", "eager", 100.0),
        "c": network("plain", "compile", 50.0, precision="fp32", peak_memory_bytes=None),
        "d": network("keras", "eager", 100.0, precision="bf16"),
        "e": {"error": "out of memory"},
    }
    text = piece_tables("networks", value(measured))
    table = [row for row in rows(text) if row[0] == "net"]
    assert [(row[2], row[3], row[8]) for row in table] == [
        ("bf16", "torch keras eager", ""),
        ("fp16", "torch plain compile", "1.00"),
        ("fp16", "torch keras eager", "0.50"),
        ("fp32", "torch plain compile", "1.00"),
    ]
    assert table[1][4:8] == ["1.000", "2.000", "3.000", "200.0"]
    assert table[1][9:] == ["25.0", "4.0", "1.00", "50.000", "1.0e-02"]
    assert table[3][11] == ""
    assert "| e " in text
    assert "out of memory" in text


def test_a_rehearsal_is_marked():
    assert "rehearsal" in piece_tables("networks", value({}, rehearsal=True))


def test_scores_have_a_mean_and_a_deviation_over_the_seeds():
    def score(seed, miou):
        return {"network": "student", "seed": seed, "miou": miou, "seconds": 60.0}

    measured = {"seed0/student": score(0, 0.40), "seed1/student": score(1, 0.44)}
    text = piece_tables("camvid", value(measured))
    (row,) = [row for row in rows(text) if row[0] == "student"]
    # The deviation of 40 and 44 is the root of 8.
    assert row[1:] == ["40.00", "44.00", "42.00", "2.83"]


@pytest.mark.parametrize("piece", ["supernet", "latency", "onnxruntime", "camvid", "networks"])
def test_a_piece_with_nothing_but_errors_has_a_table(piece):
    assert "not installed" in piece_tables(piece, value({piece: {"error": "not installed"}}))
