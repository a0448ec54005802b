"""A run that is killed in every stage ends like an undisturbed run."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.run.run import stages_of
from keras_fasterseg.spaces.registry import make_space

ROOT = pathlib.Path(__file__).parents[2]
TRAINED = ("pretrain", "search", "teacher", "student")
MINUTES = 10
FLAGS = (
    "--dataset=synthetic",
    "--synthetic_train_images=8",
    "--synthetic_val_images=2",
    "--synthetic_size=64x128",
    "--num_layers=4",
    "--base_filters=2",
    "--width_multipliers=1/2,1",
    "--student_width=1/2",
    "--latency_size=64x128",
    "--latency_repetitions=1",
    "--latency_time_budget=0.001",
    "--search_downsample=1",
    "--search_architecture_learning_rate=0.1",
    "--search_validation_images=2",
    "--search_min_fps=1",
    "--search_max_fps=2",
    "--pretrain_downsample=1",
    "--benchmark_input_size=64x128",
    "--benchmark_seconds=0",
    *(
        f"--{stage}_{setting}"
        for stage in TRAINED
        for setting in ("epochs=3", "steps_per_epoch=2", "batch_size=1", "crop_size=64x64")
    ),
    "--teacher_evaluate_every=1",
    "--student_evaluate_every=1",
    "--seed=5",
    "--noestimate",
)

STAGES = stages_of(make_space())


def start(workdir: pathlib.Path, *flags: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tools.run_all", f"--workdir={workdir}", *FLAGS, *flags]
    with open(workdir.with_suffix(".log"), "a") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)


def finish(workdir: pathlib.Path, *flags: str) -> None:
    process = start(workdir, *flags)
    status = process.wait(timeout=60 * MINUTES)
    assert status == 0, workdir.with_suffix(".log").read_text()[-3000:]


def kill_in(stage: str, workdir: pathlib.Path, *flags: str) -> None:
    """Starts the run and kills it once `stage` has begun; in a training stage, after an epoch."""
    process = start(workdir, *flags)
    sign = "checkpoints/epoch_*/state.json" if stage in TRAINED else "stage.json"
    until = time.monotonic() + 60 * MINUTES
    while not list((workdir / stage).glob(sign)):
        assert process.poll() is None, workdir.with_suffix(".log").read_text()[-3000:]
        assert time.monotonic() < until, f"{stage} has not begun"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if stage in TRAINED:
        # It was in the midst of its epochs.
        assert read_json(workdir / stage / "stage.json")["minutes"] is None
    # A stage as short as the others may have ended in the meantime; no later one has.
    later = STAGES[STAGES.index(stage) + 2 :]
    assert not any((workdir / each / "stage.json").exists() for each in later)


def arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


@pytest.mark.slow
@pytest.mark.timeout(60 * 60)
def test_killed_in_every_stage(tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    finish(undisturbed)
    # Measured latencies differ from run to run, so that both search with one table.
    table = f"--latency_table={undisturbed}/latency/latency_table.json"
    for stage in STAGES:
        kill_in(stage, killed, table)
    finish(killed, table)

    for name in ("search/teacher.json", "search/student.json"):
        assert read_json(killed / name) == read_json(undisturbed / name)
    for name in ("search/search.json", "search/gap.json"):
        assert read_json(killed / name) == read_json(undisturbed / name)
    weights = "pretrain/supernet.weights.h5"
    expected, found = arrays(undisturbed / weights), arrays(killed / weights)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    for role in ("teacher", "student"):
        for name in (f"{role}/log.csv", f"{role}/genotype.json"):
            assert (killed / name).read_text() == (undisturbed / name).read_text(), name
    before, after = (read_json(root / "summary.json") for root in (undisturbed, killed))
    for role in ("teacher", "student"):
        assert after[role]["miou"] == before[role]["miou"]
        assert after[role]["per_class"] == before[role]["per_class"]
    # Nothing of the interruptions is left.
    assert not list(killed.rglob("*.partial"))
    assert not list(killed.rglob("checkpoints"))
