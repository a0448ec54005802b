"""Runs of all spaces, killed twenty times in all, end like undisturbed runs."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time
import zipfile

import h5py
import numpy as np
import pytest

from keras_fasterseg.files import is_partial, read_json

ROOT = pathlib.Path(__file__).parents[2]
TRAINED = ("pretrain", "search", "teacher", "student")
MINUTES = 15
SIZE = "64x128"
FLAGS = (
    "--dataset=synthetic",
    "--synthetic_train_images=8",
    "--synthetic_val_images=2",
    f"--synthetic_size={SIZE}",
    f"--latency_size={SIZE}",
    "--latency_repetitions=1",
    "--latency_time_budget=0.001",
    "--search_downsample=1",
    "--search_architecture_learning_rate=0.1",
    "--search_validation_images=2",
    "--search_min_fps=1",
    "--search_max_fps=2",
    "--pretrain_downsample=1",
    f"--benchmark_input_size={SIZE}",
    "--benchmark_seconds=0",
    *(
        f"--{stage}_{setting}"
        for stage in TRAINED
        for setting in ("epochs=4", "steps_per_epoch=3", "batch_size=2", "crop_size=64x64")
    ),
    "--teacher_evaluate_every=1",
    "--student_evaluate_every=1",
    "--seed=5",
    "--noestimate",
)

RANDOM, CHECKPOINT = "at a random moment", "during the write of a checkpoint"


@dataclasses.dataclass(frozen=True)
class Case:
    """A space with flags that make it small, and the kills in the order of its stages."""

    flags: tuple[str, ...]
    kills: tuple[tuple[str, str], ...]


CASES = {
    "fasterseg": Case(
        (
            "--num_layers=4",
            "--base_filters=2",
            "--width_multipliers=1/2,1",
            "--student_width=1/2",
        ),
        (
            ("latency", RANDOM),
            ("pretrain", RANDOM),
            ("search", CHECKPOINT),
            ("search", RANDOM),
            ("teacher", RANDOM),
            ("student", RANDOM),
            ("export", RANDOM),
        ),
    ),
    "joint": Case(
        (
            "--joint_early_blocks=2",
            "--joint_late_blocks=2",
            "--joint_stem_filters=4",
            "--joint_early_filters=8",
            "--joint_late_filters=16",
            "--joint_filter_choices=2",
            "--joint_dilations=1,2",
        ),
        (
            ("search", RANDOM),
            ("teacher", CHECKPOINT),
            ("teacher", RANDOM),
            ("student", RANDOM),
        ),
    ),
    "gas": Case(
        (
            "--gas_cells=4",
            "--gas_initial_filters=2",
            "--gas_reductions=0,1,3",
            "--gas_decoder_filters=4",
            "--gas_guidance_features=4",
        ),
        (
            ("latency", RANDOM),
            ("search", CHECKPOINT),
            ("search", RANDOM),
            ("student", RANDOM),
        ),
    ),
    "autortnet": Case(
        (
            "--autortnet_cells=4",
            "--autortnet_initial_filters=2",
            "--autortnet_decoder_filters=4",
            "--autortnet_pruning_warmup=1",
            "--autortnet_pruning_interval=1",
        ),
        (
            ("search", CHECKPOINT),
            ("search", RANDOM),
            ("teacher", RANDOM),
            ("student", RANDOM),
            ("benchmark", RANDOM),
        ),
    ),
}


def test_there_are_twenty_kills():
    assert sum(len(case.kills) for case in CASES.values()) == 20


@pytest.mark.slow
@pytest.mark.timeout(60 * 60)
@pytest.mark.parametrize("space", CASES)
def test_a_killed_run_ends_like_an_undisturbed_one(tmp_path, space, capsys):
    case, generator = CASES[space], np.random.default_rng(len(space))
    flags = (f"--space={space}", *case.flags)
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    finish(undisturbed, *flags)
    before = read_json(undisturbed / "summary.json")
    # Measured latencies differ from run to run, so that both search with one table.
    flags = (*flags, f"--latency_table={undisturbed}/latency/latency_table.json")
    for stage, moment in case.kills:
        if moment == RANDOM:
            # Later, the stage might have ended.
            seconds = generator.uniform(0.0, 0.8 * 60.0 * before["minutes"][stage])
            where = kill_after(seconds, stage, killed, *flags)
        else:
            where = kill_while_writing(stage, killed, *flags)
        with capsys.disabled():
            sys.stdout.write(f"\n{space}: {stage} killed {moment}, {where}")
    finish(killed, *flags)

    for name in ("teacher", "student", "search", "gap"):
        name = f"search/{name}.json"
        assert read_json(killed / name) == read_json(undisturbed / name), name
    weights = "pretrain/supernet.weights.h5"
    if (undisturbed / weights).is_file():
        assert_same_arrays(undisturbed / weights, killed / weights)
    for role in ("teacher", "student"):
        assert_same_arrays(*(network_weights(each / role) for each in (undisturbed, killed)))
        for name in (f"{role}/log.csv", f"{role}/genotype.json"):
            assert (killed / name).read_text() == (undisturbed / name).read_text(), name
    after = read_json(killed / "summary.json")
    for role in ("teacher", "student"):
        assert after[role]["miou"] == before[role]["miou"]
        assert after[role]["per_class"] == before[role]["per_class"]
    # Nothing of the interruptions is left.
    assert not [path for path in killed.rglob("*") if is_partial(path)]
    assert not list(killed.glob("search/checkpoints"))


def start(workdir: pathlib.Path, *flags: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tools.run_all", f"--workdir={workdir}", *FLAGS, *flags]
    with open(workdir.with_suffix(".log"), "a") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)


def finish(workdir: pathlib.Path, *flags: str) -> None:
    process = start(workdir, *flags)
    status = process.wait(timeout=60 * MINUTES)
    assert status == 0, log_of(workdir)


def kill_after(seconds: float, stage: str, workdir: pathlib.Path, *flags: str) -> str:
    """Starts the run and kills it some seconds after `stage` has begun; returns where it was."""
    log, sign = workdir.with_suffix(".log"), f"=== {stage} ==="
    begun = log.read_text().count(sign) if log.exists() else 0
    process = start(workdir, *flags)
    wait_until(lambda: log.read_text().count(sign) > begun, process, workdir)
    time.sleep(seconds)
    kill(process)
    return f"after {seconds:.1f} s, {progress(workdir / stage)}"


def kill_while_writing(stage: str, workdir: pathlib.Path, *flags: str) -> str:
    """Kills the run while it writes a checkpoint, whose unfinished folder is left behind."""
    folder = workdir / stage / "checkpoints"
    partial: list[str] = []
    for _ in range(10):
        process = start(workdir, *flags)
        wait_until(lambda: unfinished(folder) or is_finished(workdir / stage), process, workdir, 0)
        kill(process)
        partial = unfinished(folder)
        if partial:
            return f"{partial[0]} left behind, {progress(workdir / stage)}"
        assert not is_finished(workdir / stage), f"{stage} ended before a kill met a checkpoint"
    raise AssertionError("No kill met the write of a checkpoint.")


def unfinished(folder: pathlib.Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if is_partial(pathlib.Path(entry.path))]
    except FileNotFoundError:
        return []


def wait_until(happens, process: subprocess.Popen, workdir: pathlib.Path, pause=0.02) -> None:
    until = time.monotonic() + 60 * MINUTES
    while not happens():
        assert process.poll() is None, log_of(workdir)
        assert time.monotonic() < until, f"nothing happened in {MINUTES} minutes"
        time.sleep(pause)


def kill(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def is_finished(stage: pathlib.Path) -> bool:
    record = stage / "stage.json"
    return record.exists() and read_json(record)["minutes"] is not None


def progress(stage: pathlib.Path) -> str:
    """The state of a stage."""
    if is_finished(stage):
        return "just finished"
    checkpoints = sorted(
        path.name for path in stage.glob("checkpoints/epoch_*") if path.suffix == ""
    )
    return f"resumes from {checkpoints[-1]}" if checkpoints else "begins anew"


def log_of(workdir: pathlib.Path) -> str:
    return workdir.with_suffix(".log").read_text()[-3000:]


def network_weights(stage: pathlib.Path) -> pathlib.Path:
    """The file of weights within a saved network."""
    target = stage.parent / f"{stage.name}_weights"
    with zipfile.ZipFile(stage / "network.keras") as archive:
        return pathlib.Path(archive.extract("model.weights.h5", target))


def assert_same_arrays(first: pathlib.Path, second: pathlib.Path) -> None:
    expected, found = arrays(first), arrays(second)
    assert expected
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found
