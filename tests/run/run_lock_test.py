import json
import os
import socket
import subprocess
import sys
import time

import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.run.run_lock import LOCK, RunLock
from keras_fasterseg.run.workdir import Workdir

HOLD = """
import sys
from keras_fasterseg.run.run_lock import (RunLock)
with RunLock(sys.argv[1]).held():
    print("held", flush=True)
    input()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process, alive, which holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


def test_the_file_says_who_holds_it_until_he_lets_go(tmp_path):
    lock = RunLock(tmp_path)
    with lock.held():
        with lock.held():
            holder = read_json(tmp_path / LOCK)
        assert (tmp_path / LOCK).exists()
    assert (holder["host"], holder["pid"]) == (socket.gethostname(), os.getpid())
    assert not (tmp_path / LOCK).exists()


def test_it_is_let_go_after_a_failure(tmp_path):
    with pytest.raises(KeyError), RunLock(tmp_path).held():
        raise KeyError
    assert not (tmp_path / LOCK).exists()


def test_a_process_that_works_here_is_named(tmp_path, holder):
    with pytest.raises(OSError, match=f"Process {holder.pid} on this machine is working in"):
        Workdir(tmp_path).stage("search", {}, lambda folder: None)
    assert read_json(tmp_path / LOCK)["pid"] == holder.pid
    assert not (tmp_path / "search").exists()
    holder.communicate(b"\n")
    Workdir(tmp_path).stage("search", {}, lambda folder: None)


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert read_json(tmp_path / LOCK)["pid"] == holder.pid
    with RunLock(tmp_path).held():
        assert read_json(tmp_path / LOCK)["pid"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_a_clock_that_was_set_does_not_unlock(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with pytest.raises(OSError, match=f"Process {holder.pid} on this machine"):
        RunLock(tmp_path)._acquire()


def test_of_another_host_nobody_can_tell(tmp_path):
    (tmp_path / LOCK).write_text(json.dumps({"host": "far-away", "pid": 7}))
    expected = f"locked by process 7 on the host far-away.*delete {tmp_path / LOCK}"
    with pytest.raises(OSError, match=expected):
        Workdir(tmp_path).stage("search", {}, lambda folder: None)
    assert read_json(tmp_path / LOCK)["pid"] == 7


@pytest.mark.parametrize("text", ["", "[]", '{"host": 1, "pid": "x"}'])
def test_a_file_that_says_nothing_and_nobody_holds_is_taken_over(tmp_path, text):
    (tmp_path / LOCK).write_text(text)
    with RunLock(tmp_path).held():
        assert read_json(tmp_path / LOCK)["pid"] == os.getpid()


def test_who_only_reads_needs_no_lock(tmp_path):
    Workdir(tmp_path).stage("search", {"seed": 0}, lambda folder: None)
    with RunLock(tmp_path).held():
        workdir = Workdir(tmp_path)
        assert workdir.recorded("search") == {"seed": 0}
        assert workdir.stage("search", {"seed": 0}, lambda folder: None) == tmp_path / "search"


def test_a_workdir_is_made_when_it_is_written_to(tmp_path):
    workdir = Workdir(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    workdir.stage("search", {}, lambda folder: None)
    assert (tmp_path / "a" / "b" / "search").is_dir()
