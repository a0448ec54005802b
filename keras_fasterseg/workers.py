"""Processes that train one network together, and the local devices of a process.

Every worker builds the same network from the same seed and computes its part of every batch. The
first worker is the chief, which alone evaluates and writes. The steps are in
`keras_fasterseg.replicas`.

This file has a switch: only TensorFlow has such workers.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_fasterseg import replicas

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # Of operations whose other workers end, restart or do not answer.
    _LOST = (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.FailedPreconditionError,
        tf.errors.InternalError,
    )
else:
    tf: Any = None
    _LOST = ()

_server: Any = None
_strategy: Any = None


def join() -> None:
    """Makes this process one of the workers that the environment variable TF_CONFIG lists.

    It must be called before TensorFlow computes anything, and waits for the other workers.

    Raises:
        ValueError: Keras does not run on TensorFlow, or TF_CONFIG is missing or wrong.
        ConnectionError: The others cannot be reached, or the port is in use.
    """
    global _server
    if tf is None:
        raise ValueError(
            "Only TensorFlow trains with several workers; set KERAS_BACKEND=tensorflow. Received: "
            f"KERAS_BACKEND={keras.backend.backend()}"
        )
    count, rank = _cluster(os.environ.get("TF_CONFIG"))
    try:
        # It starts TensorFlow's server of collective operations and checks that the others live.
        _server = tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise ConnectionError(
            f"Worker {rank} of {count} cannot join the others ({str(error).splitlines()[0]})."
        ) from error
    replicas.make_process_one_of(count, rank, f"{_device_type()}:0")


def _cluster(config: str | None) -> tuple[int, int]:
    """Number of workers, and the number of this one."""
    example = (
        '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    try:
        content = json.loads(config or "")
        names, task = content["cluster"], content["task"]
        hosts, index = names["worker"], task["index"]
        valid = (
            set(names) == {"worker"}
            and isinstance(hosts, list)
            and all(isinstance(host, str) for host in hosts)
            and task["type"] == "worker"
            and type(index) is int
            and 0 <= index < len(hosts)
        )
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise ValueError(
            f"Several workers need the environment variable TF_CONFIG, such as {example}. "
            f"Received: {config!r}"
        )
    return len(hosts), index


def use_devices(count: int) -> None:
    """Makes `local_devices` divide batches among the first `count` devices of this machine.

    It must be called once, before TensorFlow computes anything. Without GPUs, these are logical CPU
    devices, which share the cores.

    Raises:
        ValueError: Keras does not run on TensorFlow, there are fewer GPUs, or other devices are in
            use.
    """
    global _strategy
    if count == (1 if _strategy is None else _strategy.num_replicas_in_sync):
        return
    if tf is None:
        raise ValueError(
            "Only TensorFlow and JAX train with several devices; set KERAS_BACKEND. Received: "
            f"KERAS_BACKEND={keras.backend.backend()}"
        )
    if replicas.number() > 1:
        raise ValueError(f"This process already trains on {replicas.number()} devices.")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and len(gpus) < count:
        raise ValueError(f"TensorFlow sees {len(gpus)} GPUs, fewer than --devices={count}.")
    if not gpus:
        (cpu,) = tf.config.list_physical_devices("CPU")
        one = tf.config.LogicalDeviceConfiguration()
        tf.config.set_logical_device_configuration(cpu, [one] * count)
    names = [f"{_device_type()}:{index}" for index in range(count)]
    _strategy = tf.distribute.MirroredStrategy(names)
    replicas.set_strategy(_strategy)


def _device_type() -> str:
    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


@contextlib.contextmanager
def local_devices() -> Iterator[None]:
    """Context in which variables exist on all devices of `use_devices`, and `fit` uses all."""
    if _strategy is None:
        yield
        return

    def variable_of_replica(make, **options):
        # A replica changes its own variables; all make the same changes.
        options["synchronization"] = tf.VariableSynchronization.ON_READ
        options["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return make(**options)

    with _strategy.scope(), tf.variable_creator_scope(variable_of_replica):
        yield


def total() -> int:
    """Number of workers of this training."""
    own = replicas.of_process()
    return 1 if own is None else own.count


def rank() -> int:
    """Number of this worker; 0 is the chief."""
    own = replicas.of_process()
    return 0 if own is None else own.rank


def is_chief() -> bool:
    """True for the worker that evaluates and writes, and if there is only one."""
    return rank() == 0


def from_chief(values: Sequence[Any]) -> list[Any]:
    """The chief's arrays, on every worker, which give arrays of the same shapes and types.

    It runs at once, outside of steps, and waits until all workers call it.

    Raises:
        ConnectionError: Another worker was lost.
    """
    own = replicas.of_process()
    if own is None:
        return list(values)
    arrays = [np.asarray(value) for value in values]
    found: list[Any] = [None] * len(arrays)
    # Collective operations exist for floats and signed integers.
    for dtype in ("float32", "int64"):
        chosen = [i for i, array in enumerate(arrays) if _type_of_sum(array) == dtype]
        if not chosen:
            continue
        flat = np.concatenate([arrays[i].astype(dtype).ravel() for i in chosen])
        mine = tf.constant(flat if is_chief() else np.zeros_like(flat))
        with loss_reported():
            flat = np.asarray(own.summed(mine, own.take_place()))
        ends = np.cumsum([arrays[i].size for i in chosen])
        for i, part in zip(chosen, np.split(flat, ends[:-1]), strict=True):
            found[i] = part.reshape(arrays[i].shape).astype(arrays[i].dtype)
    return found


def _type_of_sum(array: np.ndarray) -> str:
    if array.dtype.kind in "biu":
        return "int64"
    if array.dtype != "float32":
        raise ValueError(f"Workers exchange float32 and integers. Received: {array.dtype}")
    return "float32"


def chief_decides(decision: bool = False) -> bool:
    """The chief's decision, on every worker; it waits until all workers call it.

    Raises:
        ConnectionError: Another worker was lost.
    """
    return bool(from_chief([int(decision)])[0])


@contextlib.contextmanager
def loss_reported() -> Iterator[None]:
    """Turns errors that follow from the loss of another worker into one sentence.

    Raises:
        ConnectionError: Another worker was lost.
    """
    if replicas.of_process() is None:
        yield
        return
    try:
        yield
    except _LOST as error:
        if isinstance(error, tf.errors.InternalError) and "ollective" not in str(error):
            raise
        raise ConnectionError(
            f"Worker {rank()} of {total()} lost another one; start all of them again."
        ) from error
