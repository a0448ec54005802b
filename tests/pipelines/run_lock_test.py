import json
import os
import socket
import subprocess
import sys

import psutil
import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.pipelines.run_lock import LOCK, RunLock
from keras_fasterseg.pipelines.workdir import Workdir


@pytest.fixture
def other():
    """Another process, alive."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def write(folder, pid, started, host=None):
    holder = {"host": host or socket.gethostname(), "pid": pid, "started": started}
    (folder / LOCK).write_text(json.dumps(holder))


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


def test_a_process_that_works_here_is_named(tmp_path, other):
    write(tmp_path, other.pid, psutil.Process(other.pid).create_time())
    with pytest.raises(OSError, match=f"Process {other.pid} on this machine is working in"):
        Workdir(tmp_path).stage("search", {}, lambda folder: None)
    assert read_json(tmp_path / LOCK)["pid"] == other.pid
    assert not (tmp_path / "search").exists()


@pytest.mark.parametrize("reused", [False, True])
def test_the_lock_of_a_dead_process_is_taken_over(tmp_path, other, reused):
    """Also where its number is another process's by now."""
    pid, started = other.pid, psutil.Process(other.pid).create_time()
    if not reused:
        other.kill()
        other.wait()
    write(tmp_path, pid, started - 60 * reused)
    with RunLock(tmp_path).held():
        assert read_json(tmp_path / LOCK)["pid"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_of_another_host_nobody_can_tell(tmp_path):
    write(tmp_path, 7, 0.0, host="far-away")
    expected = f"locked by process 7 on the host far-away.*delete {tmp_path / LOCK}"
    with pytest.raises(OSError, match=expected):
        Workdir(tmp_path).stage("search", {}, lambda folder: None)


@pytest.mark.parametrize("text", ["", "[]", '{"host": 1, "pid": "x", "started": null}'])
def test_a_file_that_says_nothing_is_named(tmp_path, text):
    (tmp_path / LOCK).write_text(text)
    with pytest.raises(OSError, match=f"is locked by a process.*delete {tmp_path / LOCK}"):
        RunLock(tmp_path)._acquire()


def test_who_only_reads_needs_no_lock(tmp_path, other):
    Workdir(tmp_path).stage("search", {"seed": 0}, lambda folder: None)
    write(tmp_path, other.pid, psutil.Process(other.pid).create_time())
    workdir = Workdir(tmp_path)
    assert workdir.recorded("search") == {"seed": 0}
    assert workdir.stage("search", {"seed": 0}, lambda folder: None) == tmp_path / "search"


def test_a_workdir_is_made_when_it_is_written_to(tmp_path):
    workdir = Workdir(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    workdir.stage("search", {}, lambda folder: None)
    assert (tmp_path / "a" / "b" / "search").is_dir()
