"""Runs a tool as several workers on this machine, and again after a failure.

    python -m tools.cluster.local --workers=2 tools.train --flagfile=student.flags

Every worker gets TF_CONFIG with ports on 127.0.0.1, `--devices=workers` and, in turns, one of the
GPUs. The first worker is the chief: it writes, and its output is shown; the others write to
worker_N.log in --logs. If a worker is lost, all start again after a pause, and resume from the last
checkpoint. Other failures, such as a wrong flag, end all. An interruption stops all.
"""

import json
import math
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from absl import app, flags, logging

WORKERS = flags.DEFINE_integer("workers", 2, "Number of workers.", lower_bound=1)
RETRIES = flags.DEFINE_integer("retries", 3, "Number of starts after the first.", lower_bound=0)
PAUSE = flags.DEFINE_float(
    "pause", 5.0, "Seconds before the second start; doubled for every further one.", lower_bound=0.0
)
LOGS = flags.DEFINE_string("logs", ".", "Folder of the output of all workers but the chief.")

_POLL_S = 0.2
_GRACE_S = 10.0
# Success, a failure that another start would repeat (such as a wrong flag), and an interruption.
_FINAL = (0, 1, 2, 130)


def main(command: Sequence[str]) -> None:
    if not command:
        raise app.UsageError("Name a tool and its flags, such as tools.train --workdir=run.")
    pathlib.Path(LOGS.value).mkdir(parents=True, exist_ok=True)
    pause = PAUSE.value
    for attempt in range(RETRIES.value + 1):
        status = run_once(command)
        if status in _FINAL:
            sys.exit(status)
        if attempt < RETRIES.value:
            logging.warning(
                "A worker ended with status %d; start %d of %d in %.0f s.",
                *(status, attempt + 2, RETRIES.value + 1, pause),
            )
            time.sleep(pause)
            pause *= 2
    sys.exit(f"local.py: the workers failed {RETRIES.value + 1} times; see {LOGS.value}")


def run_once(command: Sequence[str]) -> int:
    """Runs all workers until they end, and soon stops the others if one fails.

    Returns:
        0, or the status of a worker that failed; if possible, one that says that another start
        would fail, too.
    """
    hosts = [f"127.0.0.1:{port}" for port in free_ports(WORKERS.value)]
    processes: list[subprocess.Popen] = []
    try:
        for index in range(len(hosts)):
            task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
            log = pathlib.Path(LOGS.value) / f"worker_{index}.log"
            with open(os.devnull if index == 0 else log, "ab") as output:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", *command, "--devices=workers"],
                        env={**os.environ, **own_gpu(index), "TF_CONFIG": json.dumps(task)},
                        stdout=output if index else None,
                        stderr=output if index else None,
                    )
                )
            logging.info("Worker %d is process %d.", index, processes[-1].pid)
        until = math.inf
        while time.monotonic() < until and any(process.poll() is None for process in processes):
            if until == math.inf and any(process.poll() for process in processes):
                # The others notice the loss, or fail alike.
                until = time.monotonic() + _GRACE_S
            time.sleep(_POLL_S)
        failed = sorted(process.returncode for process in processes if process.returncode)
        return next((status for status in failed if status in _FINAL), (failed or [0])[0])
    finally:
        stop(processes)


def stop(processes: Sequence[subprocess.Popen]) -> None:
    """Interrupts what still runs, and kills it after some seconds."""
    until = time.monotonic() + _GRACE_S
    # A terminal interrupts the workers, too.
    time.sleep(_POLL_S)
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def own_gpu(index: int) -> dict[str, str]:
    """Environment in which a worker sees one GPU; empty without NVIDIA's driver."""
    count = len(list(pathlib.Path("/proc/driver/nvidia/gpus").glob("*")))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count))))
    names = [name for name in visible.split(",") if name]
    return {"CUDA_VISIBLE_DEVICES": names[index % len(names)]} if names else {}


def free_ports(count: int) -> list[int]:
    """Ports that no other program uses now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def interrupted(*_) -> None:
    """Lets the launcher stop its workers before it ends."""
    raise KeyboardInterrupt


def start(_) -> None:
    # A shell starts programs in the background with interruptions ignored, also by their children.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, interrupted)
    try:
        main(sys.argv[_end:])
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    # Flags after the name of the tool are its own, also flagfiles.
    _end = next((i for i, each in enumerate(sys.argv) if i and each[:1] != "-"), len(sys.argv))
    app.run(start, sys.argv[:_end])
