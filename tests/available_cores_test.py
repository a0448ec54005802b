"""Cores and quotas, of folders that look like Linux's."""

import os
import pathlib

import psutil
import pytest
from absl import logging

from keras_fasterseg import available_cores as module
from keras_fasterseg.available_cores import (
    AvailableCores,
    available_cores,
    available_memory,
    check_threads,
    cpu_quota,
    physical_cores,
)
from tests.shared import ROOT

V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct"
V1_CPUSET = "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset"
OTHER = "22 27 0:21 / /proc rw,relatime - proc proc rw"


@pytest.fixture
def machine(tmp_path):
    """Writes the lists of groups and mounts, and the files of groups."""

    def write(groups: str, mounts: list[str], files: dict[str, str]) -> pathlib.Path:
        listed = {"proc/self/cgroup": groups, "proc/self/mountinfo": "\n".join(mounts)}
        for name, text in {**listed, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n", encoding="utf-8")
        return tmp_path

    return write


def v2(path: str, value: str) -> dict[str, str]:
    return {f"sys/fs/cgroup{path}/cpu.max": value}


def v1(path: str, quota: int, period: int = 100000) -> dict[str, str]:
    folder = f"sys/fs/cgroup/cpu,cpuacct{path}"
    return {f"{folder}/cpu.cfs_quota_us": str(quota), f"{folder}/cpu.cfs_period_us": str(period)}


@pytest.mark.parametrize(
    ("value", "quota"),
    [("150000 100000", 1.5), ("max 100000", None), ("25000 50000", 0.5), ("nonsense", None)],
)
def test_version_2(machine, value, quota):
    # What a container sees: its own group is the top.
    assert cpu_quota(machine("0::/", [OTHER, V2], v2("", value))) == quota


def test_of_nested_groups_the_least(machine):
    files = v2("", "max 100000") | v2("/pod", "200000 100000") | v2("/pod/a", "300000 100000")
    assert cpu_quota(machine("0::/pod/a", [V2], files)) == 2.0
    assert cpu_quota(machine("0::/pod/a", [V2], v2("/pod/a", "50000 100000"))) == 0.5


@pytest.mark.parametrize(("quota", "expected"), [(-1, None), (250000, 2.5), (0, None)])
def test_version_1(machine, quota, expected):
    groups = "4:cpuset:/other\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc"
    files = v1("", -1) | v1("/docker/abc", quota) | v1("/other", 1000)
    assert cpu_quota(machine(groups, [OTHER, V1_CPUSET, V1], files)) == expected


def test_a_container_that_sees_its_own_group_as_the_top(machine):
    mount = V1.replace(" / /sys", " /docker/abc /sys")
    files = v1("", 400000) | v1("/inner", 100000)
    groups = "3:cpu,cpuacct:/docker/abc"
    assert cpu_quota(machine(groups, [mount], files)) == 4.0
    assert cpu_quota(machine(f"{groups}/inner", [mount], files)) == 1.0
    # A process that was moved out of the group that it sees as the top.
    assert cpu_quota(machine("0::/../..", [V2], v2("", "70000 100000"))) == 0.7


def test_both_versions_at_once(machine):
    unified = V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
    files = v1("/a", 300000) | v2("/unified/b", "200000 100000")
    assert cpu_quota(machine("3:cpu,cpuacct:/a\n0::/b", [V1, unified], files)) == 2.0


def test_no_groups_no_limit(tmp_path, machine):
    assert cpu_quota(tmp_path) is None
    assert cpu_quota(machine("0::/", [V2], {})) is None


def test_hyperthreads_of_one_core_are_one(tmp_path):
    for core, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    assert physical_cores({0, 1, 2, 3}, tmp_path) == 2
    assert physical_cores({0, 2}, tmp_path) == 1
    assert physical_cores({0, 1}, tmp_path) == 2
    assert physical_cores({7}, tmp_path) == 1  # of which nothing is known


@pytest.mark.parametrize(
    ("quota", "threads", "physical"),
    [(None, 8, 4), (6.0, 6, 4), (2.9, 2, 2), (0.5, 1, 1), (64.0, 8, 4)],
)
def test_as_many_threads_as_can_run_all_the_time(quota, threads, physical):
    cores = AvailableCores(logical=8, physical=4, quota=quota)
    assert (cores.threads, cores.physical_threads) == (threads, physical)


def test_readers_of_files_are_a_few_more():
    assert AvailableCores(8, 4, 1.5).reading_threads == 5
    assert AvailableCores(2, 2).reading_threads == 6
    assert AvailableCores(64, 64).reading_threads == 32


def test_this_process():
    before = os.sched_getaffinity(0)
    core = min(before)
    try:
        os.sched_setaffinity(0, {core})
        here = available_cores()
    finally:
        os.sched_setaffinity(0, before)
    assert (here.logical, here.physical, here.threads) == (1, 1, 1)
    assert available_cores().logical == len(before)


def test_more_threads_than_can_run_are_warned_of(monkeypatch):
    warnings = []
    monkeypatch.setattr(
        logging, "log_first_n", lambda level, text, count, *values: warnings.append(text % values)
    )
    monkeypatch.setattr(module, "available_cores", lambda: AvailableCores(4, 4, 1.5))
    for threads in (None, 1):
        check_threads(threads)
    assert warnings == []
    check_threads(2)
    assert warnings == [
        "2 threads are more than this process can run at once (4 cores, a CPU quota of 1.5) and "
        "will wait for one another; set --threads to at most 1."
    ]
    with pytest.raises(ValueError, match="threads=0"):
        check_threads(0)


def test_nobody_counts_the_cores_of_the_machine_for_those_of_the_process():
    for folder in ("keras_fasterseg", "tools", "flags"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "os.cpu_count" not in path.read_text(encoding="utf-8"), path


def memory(folder: str, limit: str, used: int, inactive: int) -> dict[str, str]:
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": str(used),
        f"{folder}/memory.stat": f"anon 5\ninactive_file {inactive}\nactive_file 3",
    }


def test_the_tightest_group_above_the_process_limits_memory(machine):
    top = "sys/fs/cgroup"
    files = memory(f"{top}/outer/inner", "max", 10, 0) | memory(f"{top}/other", "10", 10, 0)
    files |= memory(f"{top}/outer", "5000", used=3000, inactive=1000)
    assert available_memory(machine("0::/outer/inner", [OTHER, V2], files)) == 5000 - 3000 + 1000
    # An overdrawn one has nothing left.
    files |= memory(f"{top}/outer", "100", used=300, inactive=50)
    assert available_memory(machine("0::/outer/inner", [OTHER, V2], files)) == 0


def test_groups_of_version_1_limit_memory(machine):
    mount = "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
    folder = "sys/fs/cgroup/memory/box"
    files = {
        f"{folder}/memory.limit_in_bytes": "900",
        f"{folder}/memory.usage_in_bytes": "700",
        f"{folder}/memory.stat": "cache 9\ntotal_inactive_file 50",
    }
    assert available_memory(machine("3:cpu:/box\n2:memory:/box", [V1, mount], files)) == 250


def test_without_a_limit_all_free_memory_is_available(machine, tmp_path):
    files = memory("sys/fs/cgroup", "max", 1, 0)
    for root in (machine("0::/", [V2], files), tmp_path / "nothing"):
        assert 0 < available_memory(root) <= psutil.virtual_memory().total
