"""Free memory and disk, on made-up control groups."""

import pathlib
import shutil

import psutil
import pytest

from keras_fasterseg.jobs.estimation import machine


def write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def unified(root: pathlib.Path, group: str, limit: str, used: int, inactive: int) -> None:
    folder = root / "sys/fs/cgroup" / group
    write(folder / "memory.max", f"{limit}\n")
    write(folder / "memory.current", f"{used}\n")
    write(folder / "memory.stat", f"anon 5\ninactive_file {inactive}\nactive_file 3\n")


def test_the_tightest_group_above_the_process_counts(tmp_path):
    write(tmp_path / "proc/self/cgroup", "0::/outer/inner\n")
    unified(tmp_path, "outer/inner", "max", used=10, inactive=0)
    unified(tmp_path, "outer", "5000", used=3000, inactive=1000)
    unified(tmp_path, "stranger", "10", used=10, inactive=0)
    assert machine.free_memory_bytes(tmp_path) == 5000 - 3000 + 1000


def test_the_groups_of_version_one_count_too(tmp_path):
    write(tmp_path / "proc/self/cgroup", "3:cpu:/box\n2:memory:/box\n")
    folder = tmp_path / "sys/fs/cgroup/memory/box"
    write(folder / "memory.limit_in_bytes", "900\n")
    write(folder / "memory.usage_in_bytes", "700\n")
    write(folder / "memory.stat", "cache 9\ntotal_inactive_file 50\n")
    assert machine.free_memory_bytes(tmp_path) == 900 - 700 + 50


def test_an_overdrawn_group_has_nothing_left(tmp_path):
    write(tmp_path / "proc/self/cgroup", "0::/\n")
    unified(tmp_path, "", "100", used=300, inactive=50)
    assert machine.free_memory_bytes(tmp_path) == 0


@pytest.mark.parametrize("limit", ["max", "9" * 30])
def test_without_a_group_limit_the_machine_counts(tmp_path, limit):
    write(tmp_path / "proc/self/cgroup", "0::/\n")
    unified(tmp_path, "", limit, used=1, inactive=0)
    assert 0 < machine.free_memory_bytes(tmp_path) <= psutil.virtual_memory().total


def test_without_groups_the_machine_counts(tmp_path):
    assert 0 < machine.free_memory_bytes(tmp_path) <= psutil.virtual_memory().total


def test_a_folder_that_is_yet_to_be_made_has_the_disk_of_the_one_above(tmp_path, monkeypatch):
    asked = []
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or usage)
    assert machine.free_disk_bytes(tmp_path / "not" / "yet") == usage.free
    assert asked == [tmp_path]


def test_gigabytes_are_decimal():
    assert machine.gigabytes(7_504_000_000) == "7.50 GB"
