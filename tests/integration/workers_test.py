"""Two workers on this machine compute what one process computes with the same batches."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tools.cluster.local import free_ports

ROOT = pathlib.Path(__file__).parents[2]
STEPS = 20


def start(output: pathlib.Path, *arguments: str, config: str | None = None) -> subprocess.Popen:
    environment = {**os.environ, **({} if config is None else {"TF_CONFIG": config})}
    command = [sys.executable, "-m", "tests.integration.worker_steps", *arguments, str(output)]
    return subprocess.Popen(command, cwd=ROOT, env=environment)


@pytest.mark.slow
@pytest.mark.backends("tensorflow")
@pytest.mark.timeout(30 * 60)
@pytest.mark.parametrize(
    ("space", "job"),
    [
        ("gas", "search"),
        ("joint", "search"),
        ("fasterseg", "pretrain"),
        ("fasterseg", "search"),
        ("fasterseg", "train"),
    ],
)
def test_two_workers_are_one_process(tmp_path, space, job):
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes, files = [], []
    for index in range(2):
        task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        files.append(tmp_path / f"worker_{index}.npz")
        processes.append(start(files[-1], space, job, str(STEPS), config=json.dumps(task)))
    alone = tmp_path / "alone.npz"
    assert start(alone, space, job, str(STEPS)).wait() == 0
    assert [process.wait() for process in processes] == [0, 0]
    expected, *found = (list(np.load(file).values()) for file in (alone, *files))
    for one in found:
        for value, other in zip(one, expected, strict=True):
            np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-4)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
