"""Starting workers: TF_CONFIG of every launcher, and new starts after a loss."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.shared import ROOT

CLUSTER = ROOT / "tools" / "cluster"
# A tool that the launcher can run: it says who it is, and ends as told for its n-th start.
PROGRAM = """
import json, os, pathlib, sys, time
facts = json.loads(os.environ["TF_CONFIG"])
index = facts["task"]["index"]
own = pathlib.Path(sys.argv[1]) / f"{index}.json"
starts = json.loads(own.read_text()) if own.exists() else []
starts.append({"hosts": facts["cluster"]["worker"], "flags": sys.argv[2:]})
own.write_text(json.dumps(starts))
status = json.loads(os.environ["STATUSES"])[index][len(starts) - 1]
if status == "waits":
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        sys.exit(130)
sys.exit(status)
"""


def launch(folder: pathlib.Path, *statuses: list, retries: int = 2):
    """Runs a worker per list of exit statuses; returns the end, and every worker's starts."""
    process = start_launcher(folder, *statuses, retries=retries)
    stdout, stderr = process.communicate(timeout=60)
    done = subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
    files = [folder / f"{index}.json" for index in range(len(statuses))]
    return done, [json.loads(file.read_text()) for file in files]


def start_launcher(folder: pathlib.Path, *statuses: list, retries: int = 2) -> subprocess.Popen:
    (folder / "program.py").write_text(PROGRAM)
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tools.cluster.local", f"--workers={len(statuses)}"),
            *(f"--retries={retries}", "--pause=0.1", f"--logs={folder}"),
            *("program", str(folder), "--steps=3"),
        ],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]),
            "STATUSES": json.dumps(statuses),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_workers_get_one_list_and_their_flags(tmp_path):
    done, starts = launch(tmp_path, [0], [0], [0])
    assert done.returncode == 0, done.stderr
    (first,), *others = starts
    assert [each for (each,) in others] == [first, first]
    assert len(set(first["hosts"])) == 3
    assert all(host.startswith("127.0.0.1:") for host in first["hosts"])
    assert first["flags"] == ["--steps=3", "--devices=workers"]


def test_all_start_again_after_a_loss(tmp_path):
    done, starts = launch(tmp_path, [75, 0], [-9, 0])
    assert done.returncode == 0, done.stderr
    assert [len(each) for each in starts] == [2, 2]
    assert "start 2 of 3" in done.stderr


def test_a_wrong_flag_ends_all(tmp_path):
    done, starts = launch(tmp_path, [75, 0], [1, 0])
    assert done.returncode == 1
    assert [len(each) for each in starts] == [1, 1]


def test_it_gives_up(tmp_path):
    done, starts = launch(tmp_path, [75, 75], [75, 75], retries=1)
    assert done.returncode == 1
    assert [len(each) for each in starts] == [2, 2]
    assert done.stderr.splitlines()[-1].startswith("local.py: the workers failed 2 times; see ")


@pytest.mark.timeout(50)
def test_a_worker_that_waits_is_stopped(tmp_path):
    done, starts = launch(tmp_path, ["waits"], [1])
    assert done.returncode == 1
    assert [len(each) for each in starts] == [1, 1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_stops_the_workers(tmp_path, number):
    process = start_launcher(tmp_path, ["waits"], ["waits"])
    files = [tmp_path / f"{index}.json" for index in range(2)]
    while not all(file.exists() for file in files):
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(30) == 130
    log = process.stderr.read()
    for pid in re.findall(r"Worker \d is process (\d+)", log):
        assert not pathlib.Path(f"/proc/{pid}").exists()
    assert "Traceback" not in log


def test_it_asks_for_a_tool():
    done = subprocess.run(
        [sys.executable, "-m", "tools.cluster.local"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "Name a tool and its flags" in done.stdout + done.stderr


def program(path: pathlib.Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("statuses", "restarts", "again"),
    [
        ((0, 0, 0, 0), 0, False),
        # The other workers notice the end of the first, or are stopped.
        ((1, 75, 143, 143), 0, False),
        ((75, 75, 2, 2), 0, False),
        ((75, 137, 75, 75), 0, True),
        ((75, 137, 75, 75), 4, True),
        ((75, 137, 75, 75), 5, False),
    ],
)
def test_the_slurm_script(tmp_path, statuses, restarts, again):
    """With stand-ins for SLURM's commands: two machines with two workers each."""
    program(
        tmp_path / "scontrol",
        '[ "$1" = requeue ] && echo "again $2" >> "$LOG" || printf "node1\\nnode2\\n"',
    )
    program(
        tmp_path / "srun",
        "while [[ $1 == --* ]]; do shift; done\n"
        "status=0\n"
        'for SLURM_PROCID in 0 1 2 3; do export SLURM_PROCID; "$@"\n'
        "one=$?; [ $one -gt $status ] && status=$one; done\n"
        "exit $status",
    )
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    program(
        tmp_path / ".venv" / "bin" / "python",
        'echo "$TF_CONFIG $*" >> "$LOG"; set -- $STATUSES; shift $SLURM_PROCID; exit $1',
    )
    done = subprocess.run(
        ["bash", str(CLUSTER / "slurm.sh"), "tools.train", "--workdir=a b"],
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "LOG": str(tmp_path / "log"),
            "STATUSES": " ".join(map(str, statuses)),
            "SLURM_JOB_NODELIST": "node[1-2]",
            "SLURM_NTASKS_PER_NODE": "2",
            "SLURM_JOB_ID": "17",
            "SLURM_RESTART_COUNT": str(restarts),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == max(statuses), done.stderr
    assert not list(tmp_path.glob(".final*"))
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[4:] == ["again 17"] * again
    for index, line in enumerate(lines[:4]):
        assert line.endswith(" -m tools.train --workdir=a b --devices=workers")
        facts, _ = json.JSONDecoder().raw_decode(line)
        hosts = ["node1:20017", "node1:20018", "node2:20017", "node2:20018"]
        assert facts == {
            "cluster": {"worker": hosts},
            "task": {"type": "worker", "index": index},
        }


def test_the_kubernetes_manifest(tmp_path):
    text = (CLUSTER / "kubernetes.yaml").read_text()
    (script,) = re.findall(r"- \|\n((?: {14}.*\n)+)", text)
    script = script.replace("exec python", 'echo "$TF_CONFIG"; echo')
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": os.environ["PATH"], "JOB_COMPLETION_INDEX": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(done.stdout.splitlines()[0])
    count = int(re.findall(r"completions: (\d+)", text)[0])
    (service,) = set(re.findall(r"^  name: (.+)$", text, re.MULTILINE))
    assert facts["task"] == {"type": "worker", "index": 3}
    assert facts["cluster"]["worker"] == [f"{service}-{i}.{service}:2222" for i in range(count)]
    assert re.findall(r"subdomain: (.+)", text) == [service]
