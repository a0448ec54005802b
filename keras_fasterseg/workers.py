"""Devices and processes that train one network together, each on its part of every batch.

They are called replicas: local devices of one process, or workers, which are processes with one
device each, on one machine or many. All replicas hold the same variables. In a step, sums over the
batch (of gradients, of batch statistics, of losses) are sums over all replicas, by the collective
operations of TensorFlow; everything else of a replica is as if it were alone. The first worker is
the chief, which alone evaluates and writes.

`tf.distribute` has reductions of its own, but not for the bodies of `trace_once` or of conditions.

This file has a switch: on JAX, Keras divides batches among devices without it.
"""

import contextlib
import contextvars
import dataclasses
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
else:
    tf: Any = None

# Keys of a call of a body that is traced once: it has fewer operations.
_BLOCK = 256
# Operations of gradients have the keys of their operation, plus this.
_GRADIENTS = 1 << 30
_BUCKET_BYTES = 1 << 22
_group_keys = itertools.count(4711)


@dataclasses.dataclass(eq=False)
class _Group:
    """Replicas that share batches; `devices` has the name of each, the local one for workers."""

    devices: Sequence[str]
    key: int = dataclasses.field(default_factory=lambda: next(_group_keys))

    def __post_init__(self):
        self.members = [_Replica(self, rank) for rank in range(len(self.devices))]


@dataclasses.dataclass(eq=False)
class _Replica:
    """One of a group, with the key of its next operation.

    Keys are equal on all replicas because all trace the same steps. Within a body that is traced
    once, they are tensors, so that calls have different ones.
    """

    group: _Group
    rank: int
    base: Any = 0
    used: int = 1
    token: Any = None

    @property
    def count(self) -> int:
        return len(self.group.devices)

    def take_keys(self, count: int) -> Any:
        first, self.used = self.used, self.used + count
        # A new tensor for each: one of a conditional branch is unknown outside.
        return self.base + first

    def take_place(self) -> "_Place":
        """Place of the next operation in a forward pass, which follows the earlier ones."""
        if self.token is None:
            with tf.init_scope(), tf.device(self.group.devices[self.rank]):
                self.token = tf.raw_ops.VarHandleOp(
                    dtype="float32", shape=[], shared_name=f"replica_{self.group.key}_{self.rank}"
                )
        order = self.token
        if not tf.executing_eagerly():
            # A tensor of the graph: gradients of conditions cannot capture an eager one.
            order = tf.compat.v1.get_default_graph().capture(order)
        return _Place(self.take_keys(1), order)

    def summed(self, values: Any, place: "_Place") -> Any:
        return tf.raw_ops.CollectiveReduceV2(
            input=values,
            group_size=self.count,
            group_key=self.group.key,
            instance_key=place.key,
            ordering_token=[place.order],
            merge_op="Add",
            final_op="Id",
            communication_hint="nccl" if self.uses_nccl else "ring",
        )

    @property
    def uses_nccl(self) -> bool:
        """True for GPUs of one process.

        NCCL of several processes needs one order of all operations, which gradients lack.
        """
        return len(set(self.group.devices)) > 1 and "GPU" in self.group.devices[self.rank]


@dataclasses.dataclass(frozen=True)
class _Place:
    """Key of an operation, and the resource by which TensorFlow orders it after earlier ones.

    Operations of two replicas in one graph must not wait for each other.
    """

    key: Any
    order: Any

    def of_gradient(self) -> "_Place":
        return _Place(self.key + _GRADIENTS, self.order)


_workers: _Replica | None = None
_server: Any = None
_strategy: Any = None
_of_strategy: _Group | None = None
_step: contextvars.ContextVar[_Replica | None] = contextvars.ContextVar("step", default=None)
_synchronizes: contextvars.ContextVar[bool] = contextvars.ContextVar("synchronizes", default=True)


def join() -> None:
    """Makes this process one of the workers that the environment variable TF_CONFIG lists.

    It must be called before TensorFlow computes anything, and waits for the other workers.

    Raises:
        ValueError: Keras does not run on TensorFlow, or TF_CONFIG is missing or wrong.
    """
    global _workers, _server
    _check_backend("several workers")
    count, rank = _cluster(os.environ.get("TF_CONFIG"))
    # It starts TensorFlow's server of collective operations and checks that the others live.
    _server = tf.distribute.MultiWorkerMirroredStrategy()
    device = f"{_device_type()}:0"
    _workers = _Group([device] * count).members[rank]


def _cluster(config: str | None) -> tuple[int, int]:
    """Number of workers, and the number of this one."""
    example = (
        '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    try:
        facts = json.loads(config or "")
        names, task = facts["cluster"], facts["task"]
        hosts, index = names["worker"], int(task["index"])
        valid = set(names) == {"worker"} and task["type"] == "worker" and 0 <= index < len(hosts)
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

    It must be called before TensorFlow computes anything. Without GPUs, these are logical CPU
    devices, which share the cores.

    Raises:
        ValueError: Keras does not run on TensorFlow, or there are fewer GPUs.
    """
    global _strategy
    if count == 1:
        return
    _check_backend("several devices")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and len(gpus) < count:
        raise ValueError(f"TensorFlow sees {len(gpus)} GPUs, fewer than --devices={count}.")
    if not gpus:
        (cpu,) = tf.config.list_physical_devices("CPU")
        one = tf.config.LogicalDeviceConfiguration()
        tf.config.set_logical_device_configuration(cpu, [one] * count)
    names = [f"{_device_type()}:{index}" for index in range(count)]
    _strategy = tf.distribute.MirroredStrategy(names)


def _check_backend(what: str) -> None:
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"Only TensorFlow trains with {what}. Received: KERAS_BACKEND={keras.backend.backend()}"
        )


def _device_type() -> str:
    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


@contextlib.contextmanager
def local_devices() -> Iterator[None]:
    """Context in which variables exist on all devices of `use_devices`, and `fit` uses all."""
    global _of_strategy
    if _strategy is None:
        yield
        return
    if _of_strategy is None:
        _of_strategy = _Group(_strategy.extended.worker_devices)

    def variable_of_replica(make, **facts):
        # A replica changes its own variables; all make the same changes.
        facts["synchronization"] = tf.VariableSynchronization.ON_READ
        facts["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return make(**facts)

    with _strategy.scope(), tf.variable_creator_scope(variable_of_replica):
        yield


def total() -> int:
    """Number of workers of this training."""
    return 1 if _workers is None else _workers.count


def rank() -> int:
    """Number of this worker; 0 is the chief."""
    return 0 if _workers is None else _workers.rank


def is_chief() -> bool:
    """True for the worker that evaluates and writes, and if there is only one."""
    return rank() == 0


def replicas() -> int:
    """Number of workers or local devices that share a batch."""
    return total() if _strategy is None else _strategy.num_replicas_in_sync


@contextlib.contextmanager
def together(synchronized: bool = True) -> Iterator[None]:
    """Within it, all replicas trace the same step, and the functions below concern all.

    Args:
        synchronized: Whether batch normalisation uses the statistics of the complete batch.
    """
    replica = _workers
    if _strategy is not None:
        here = tf.distribute.get_replica_context()
        if here is not None and here.num_replicas_in_sync > 1 and _of_strategy is not None:
            replica = _of_strategy.members[tf.get_static_value(here.replica_id_in_sync_group)]
    step, synchronizes = _step.set(replica), _synchronizes.set(synchronized)
    try:
        yield
    finally:
        _step.reset(step)
        _synchronizes.reset(synchronizes)


def count() -> int:
    """Number of replicas that share the batch of this step; 1 outside `together`."""
    replica = _step.get()
    return 1 if replica is None else replica.count


def synchronizes() -> bool:
    """True if batch normalisation of this step uses the statistics of several replicas."""
    return count() > 1 and _synchronizes.get()


def place_in_batch() -> int:
    """Number of this replica's part of the batch, from 0."""
    replica = _step.get()
    return 0 if replica is None else replica.rank


def take_block() -> Any:
    """Keys for one call of a body that is traced once, to be used with `block`; None if alone."""
    replica = _step.get()
    if replica is None:
        return None
    return tf.convert_to_tensor(replica.take_keys(_BLOCK), "int32")


@contextlib.contextmanager
def block(keys: Any) -> Iterator[None]:
    """Within it, operations take their keys from those of `take_block`, a tensor."""
    replica = _step.get()
    if replica is None or keys is None:
        yield
        return
    before = replica.base, replica.used
    replica.base, replica.used = keys, 0
    try:
        yield
    finally:
        replica.base, replica.used = before


def take_place() -> Any:
    """Place of an operation, for `summed` in a forward pass; None if alone.

    Its `of_gradient()` is the place of an operation in the gradient.
    """
    replica = _step.get()
    return None if replica is None else replica.take_place()


def summed(values: Any, place: Any = None) -> Any:
    """Sum over the replicas of tensors of one shape; the gradient is summed, too."""
    replica = _step.get()
    if replica is None:
        return values
    place = replica.take_place() if place is None else place

    @tf.custom_gradient
    def everywhere(values):
        return (
            replica.summed(values, place),
            lambda upstream: replica.summed(upstream, place.of_gradient()),
        )

    return everywhere(values)


def gathered(values: Any, place: Any = None) -> Any:
    """Stacks the tensors of all replicas, `(replicas, ...)`; it has no gradient."""
    values = keras.ops.stop_gradient(values)
    replica = _step.get()
    if replica is None:
        return values[None]
    mine = keras.ops.one_hot(replica.rank, replica.count, dtype=values.dtype)
    mine = keras.ops.reshape(mine, (-1, *[1] * len(values.shape)))
    return summed(mine * values[None], place)


def mean_of(values: Sequence[Any]) -> list[Any]:
    """Means over the replicas of tensors, such as gradients, in a few operations."""
    if count() == 1:
        return list(values)
    found, bucket = [], []

    def empty() -> None:
        if bucket:
            flat = tf.concat([tf.reshape(each, [-1]) for each in bucket], 0)
            parts = tf.split(summed(flat) / count(), [each.shape.num_elements() for each in bucket])
            found.extend(
                tf.reshape(part, each.shape) for part, each in zip(parts, bucket, strict=True)
            )
            bucket.clear()

    for each in map(tf.convert_to_tensor, values):
        size = sum(other.shape.num_elements() for other in [*bucket, each])
        if bucket and (each.dtype != bucket[0].dtype or size * each.dtype.size > _BUCKET_BYTES):
            empty()
        bucket.append(each)
    empty()
    return found


def shown(loss: Any) -> Any:
    """A loss with the value of the mean over the replicas, and its own gradient."""
    if count() == 1:
        return loss
    return loss + keras.ops.stop_gradient(summed(loss) / count() - loss)


def from_chief(values: Sequence[Any]) -> list[Any]:
    """The chief's arrays, on every worker, which give arrays of the same shapes and types.

    It runs at once, outside of steps, and waits until all workers call it.
    """
    if _workers is None:
        return list(values)
    import numpy as np

    found = []
    with loss_reported():
        for original in map(np.asarray, values):
            # Collective operations exist for floats and signed integers.
            array = original if original.dtype.kind == "f" else original.astype("int64")
            mine = array if is_chief() else np.zeros_like(array)
            mine = keras.ops.convert_to_tensor(mine)
            summed = _workers.summed(mine, _workers.take_place())
            found.append(np.asarray(summed).astype(original.dtype))
    return found


def told(decision: bool = False) -> bool:
    """The chief's decision, on every worker; it waits until all workers call it."""
    return bool(from_chief([int(decision)])[0])


@contextlib.contextmanager
def loss_reported() -> Iterator[None]:
    """Turns errors of a step that follow from the loss of another worker into one sentence.

    Raises:
        ConnectionError: Another worker was lost.
    """
    if _workers is None:
        yield
        return
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError) as error:
        raise ConnectionError(
            f"Worker {rank()} of {total()} lost another one; start all of them again."
        ) from error
