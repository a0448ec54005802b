"""The load of others, by times that are known."""

import collections
import subprocess
import sys

import psutil
import pytest
from absl import logging

from keras_fasterseg.benchmark import load
from keras_fasterseg.benchmark.load import LoadMeter, check_load, other_load

Times = collections.namedtuple("Times", "user nice system idle iowait steal guest")


class Machine:
    """Four cores, of which this process may use 1 and 3; time passes when it sleeps."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        # Seconds that each core has been busy, and that this process has worked.
        self.busy = self.own = 0.0
        self.rates = [(0.0, 0.0)]
        monkeypatch.setattr(load, "time", self)
        monkeypatch.setattr(load, "_own_seconds", lambda: self.own)
        monkeypatch.setattr(psutil, "cpu_times", self.cpu_times)
        monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda process: [1, 3])

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        busy, own = self.rates.pop(0) if len(self.rates) > 1 else self.rates[0]
        self.now += seconds
        self.busy += seconds * busy
        self.own += seconds * own

    def cpu_times(self, percpu):
        assert percpu
        # A quarter is the host's work for others; guests of this machine are in `user` too.
        parts = self.busy / 2, 0.0, self.busy / 4, self.now - self.busy, 5.0, self.busy / 4
        full = Times(*[self.now] * 7)
        return [full, Times(*parts, self.busy / 2), full, Times(*parts, self.busy / 2)]


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


@pytest.mark.parametrize(
    ("busy", "own", "expected"),
    # Two cores: this process can work 2 seconds a second.
    [(0.0, 0.0, 0.0), (0.75, 0.0, 0.75), (0.75, 0.5, 0.5), (1.0, 2.0, 0.0), (0.5, 1.01, 0.0)],
)
def test_what_the_cores_did_less_what_we_did(machine, busy, own, expected):
    machine.rates = [(busy, own)]
    assert other_load(2.0) == pytest.approx(expected)
    meter = LoadMeter()
    for _ in range(3):
        machine.sleep(1.0)
    assert meter.load() == pytest.approx(expected)


def test_too_short_to_tell(machine):
    assert other_load(0.05) is None


def test_a_system_that_does_not_tell(machine, monkeypatch):
    def refused(percpu):
        raise PermissionError("/proc/stat")

    monkeypatch.setattr(psutil, "cpu_times", refused)
    assert other_load() is None
    check_load(allow=False)


def test_a_busy_machine_is_refused_or_warned_of(machine, monkeypatch):
    warnings = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: warnings.append(text % values))
    machine.rates = [(0.9, 0.0), (0.75, 0.2), (0.8, 0.0)]
    with pytest.raises(ValueError, match=r"busy 65 % of the time, more than 50 %.*--allow_load\.$"):
        check_load(allow=False)
    assert warnings == []
    machine.rates = [(0.8, 0.0)]
    check_load(allow=True)
    (warning,) = warnings
    assert "busy 80 % of the time" in warning


def test_a_program_that_just_ends_is_no_load(machine):
    machine.rates = [(1.0, 0.0), (0.3, 0.0)]
    check_load(allow=False)
    assert machine.now == pytest.approx(1.0)


def test_children_are_not_others():
    before = load._own_seconds()
    work = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", work], check=True)
    assert load._own_seconds() - before >= 0.4
