"""The harness itself, on a CPU and with a tiny network: nothing here says anything about speed."""

import subprocess
import sys

import keras
import pytest

from keras_fasterseg.files import read_json, write_json
from tests.conformance.spaces import tiny_space
from tests.shared import ROOT

BACKEND = keras.backend.backend()


def run_harness(folder, *arguments):
    finished = subprocess.run(
        [sys.executable, "-m", "tools.benchmarks.gpu", f"--output={folder}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "tiny.json"
    tiny_space("fasterseg").largest_genotype().save(path)
    return path


def test_networks_are_measured_and_a_second_run_adds_only_what_is_missing(network, tmp_path):
    arguments = (
        *("--piece=networks", "--rehearsal", f"--networks={network}", "--minutes=9"),
        rf"--matching=^tiny/b1/fp32/{BACKEND}/(keras|plain)/(eager|jit)$",
    )
    output = run_harness(tmp_path / "out", *arguments)
    assert "networks: complete" in output
    value = read_json(tmp_path / "out" / "networks.json")
    measured = value["measurements"]
    assert {"keras", "plain"} <= {each["model"] for each in measured.values()}
    for each in measured.values():
        assert each["p50_ms"] <= each["p90_ms"] <= each["p99_ms"]
        assert each["fps"] == pytest.approx(1000 / each["back_to_back_ms"])
        assert each["equal_pixels"] == 1.0
        assert each["weights_sha256"] == next(iter(measured.values()))["weights_sha256"]
    lost = next(iter(measured))
    before = measured.pop(lost)
    write_json(tmp_path / "out" / "networks.json", value)
    output = run_harness(tmp_path / "out", *arguments)
    again = read_json(tmp_path / "out" / "networks.json")["measurements"]
    assert [line.partition(": ")[0] for line in output.splitlines()] == [lost, "networks"]
    assert {**again, lost: None} == {**measured, lost: None}
    assert again[lost]["macs"] == before["macs"]
    table = run_harness(tmp_path / "out", "--table")
    assert f"{BACKEND} plain" in table


def test_without_time_everything_is_left(network, tmp_path):
    arguments = ("--piece=networks", "--rehearsal", f"--networks={network}", "--minutes=0")
    assert "left, next: tiny/b1/fp32" in run_harness(tmp_path / "out", *arguments)
