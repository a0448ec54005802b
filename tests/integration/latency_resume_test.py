"""A killed measurement of a latency table resumes with its saved rows."""

import os
import signal
import subprocess
import sys
import time

from keras_fasterseg.latency.table import LatencyTable
from tests.shared import ROOT
from tests.tools import tiny_run

SECONDS = 240.0


def start(workdir):
    command = [sys.executable, "-m", "tools.measure_latency", f"--workdir={workdir}"]
    return subprocess.Popen(
        [*command, *tiny_run.ONE_WIDTH, *tiny_run.LATENCY],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_rows_of_a_killed_measurement_are_kept(tmp_path):
    path = tmp_path / "latency" / "latency_table.json"
    process = start(tmp_path)
    end = time.monotonic() + SECONDS
    rows = {}
    while len(rows) < 20:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        # Never half-written, whenever it is read.
        rows = dict(LatencyTable.load(path)) if path.exists() else {}
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = LatencyTable.load(path)
    assert len(kept) >= len(rows)

    again = start(tmp_path)
    output = again.communicate(timeout=SECONDS)[0]
    assert again.returncode == 0, output
    whole = LatencyTable.load(path)
    assert len(whole) > len(kept)
    assert {key: whole[key] for key in kept} == dict(kept)
    assert whole.metadata == kept.metadata
