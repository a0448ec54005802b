"""Runs measurements in processes of their own, so that one that is killed kills nothing else."""

import dataclasses
import multiprocessing
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import psutil

_POLL_SECONDS = 0.1
# What the host has imported is there at once in a fork of it.
_START = "fork" if sys.platform == "linux" else "spawn"
# For the host to import what the measurements need, before the first of them.
_STARTUP_SECONDS = 180.0


@dataclasses.dataclass(frozen=True)
class ProbeFailure:
    """Why a measurement gave nothing.

    Attributes:
        kind: "memory" (it does not fit), "time" (it took too long) or "error".
        reason: One sentence.
    """

    kind: str
    reason: str


def run_probes(
    measures: Mapping[str, Callable[[], Any]], limit_seconds: float, limit_bytes: int
) -> dict[str, Any]:
    """The results of `measures`, or why there is none.

    They run one after the other, each in a process of its own below a host process, which imports
    their modules once. A process that takes too long or too much memory is killed; one that the
    system kills (exit by signal 9) counts as out of memory.

    Args:
        measures: Functions that can be pickled, as their results can; by name.
        limit_seconds: Time that one may take.
        limit_bytes: Memory that one may take.

    Returns:
        By name: the function's result, or a `ProbeFailure`.
    """
    if not measures:
        return {}
    # A fork of this process would inherit what TensorFlow has started here.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    host = context.Process(target=_host, args=(sender, dict(measures), limit_seconds, limit_bytes))
    host.start()
    sender.close()
    results: dict[str, Any] = {}
    patience = limit_seconds + _STARTUP_SECONDS
    try:
        while len(results) < len(measures) and receiver.poll(patience):
            name, result = receiver.recv()
            results[name] = result
        dead = ProbeFailure("time", f"the measuring process did not answer in {patience:.0f} s")
    except EOFError:
        host.join()
        dead = _died(host.exitcode)
    finally:
        _kill_tree(host)
    return {name: results.get(name, dead) for name in measures}


def _host(sender, measures, limit_seconds: float, limit_bytes: int) -> None:
    context = multiprocessing.get_context(_START)
    for name, measure in measures.items():
        sender.send((name, _run(context, measure, limit_seconds, limit_bytes)))


def _run(context, measure, limit_seconds: float, limit_bytes: int) -> Any:
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, measure))
    process.start()
    sender.close()
    try:
        deadline = time.monotonic() + limit_seconds
        while not receiver.poll(_POLL_SECONDS):
            if time.monotonic() > deadline:
                return ProbeFailure("time", f"a few steps took more than {limit_seconds:.0f} s")
            if _memory(process.pid) > limit_bytes:
                return ProbeFailure(
                    "memory", f"a few steps took more than the {limit_bytes / 1e9:.2f} GB there are"
                )
        return receiver.recv()
    except EOFError:
        process.join()
        return _died(process.exitcode)
    finally:
        _kill_tree(process)


def _measure(sender, measure) -> None:
    try:
        result = measure()
    # Whatever it is, it is reported: the sentence is all that leaves this process.
    except Exception as error:
        sentence = " ".join(str(error).split())[:300]
        exhausted = isinstance(error, MemoryError) or "ResourceExhausted" in type(error).__name__
        kind = "memory" if exhausted else "error"
        result = ProbeFailure(kind, f"{type(error).__name__}: {sentence}")
    sender.send(result)


def _died(status: int | None) -> ProbeFailure:
    if status == -9:
        return ProbeFailure("memory", "the system killed it (signal 9), for want of memory")
    return ProbeFailure("error", f"the measuring process ended with status {status}")


def _memory(pid: int) -> int:
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def _kill_tree(process) -> None:
    try:
        descendants = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        descendants = []
    process.kill()
    for each in descendants:
        try:
            each.kill()
        except psutil.Error:
            continue
    process.join()
