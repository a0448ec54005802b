"""Sums over the replicas that share the batch of a step.

A replica is one of several local devices of a process, or a worker, which is a process with one
device. All hold the same variables, and each computes its part of every batch. Sums over the batch
(of gradients, of batch statistics, of losses) are sums over all replicas, by the collective
operations of TensorFlow; everything else of a replica is as if it were alone.

`tf.distribute` has reductions of its own, but not for the bodies of `trace_once` or of conditions.

This file has a switch: on JAX, Keras divides batches among devices without it.
"""

import contextlib
import contextvars
import dataclasses
import itertools
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
    """Key and order of an operation.

    TensorFlow runs the operations with one resource, `order`, one after the other. Every replica
    has its own: two replicas in one graph must not wait for each other.
    """

    key: Any
    order: Any

    def of_gradient(self) -> "_Place":
        return _Place(self.key + _GRADIENTS, self.order)


_of_process: _Replica | None = None
_strategy: Any = None
_of_strategy: _Group | None = None
_step: contextvars.ContextVar[_Replica | None] = contextvars.ContextVar("step", default=None)
_synchronizes: contextvars.ContextVar[bool] = contextvars.ContextVar("synchronizes", default=True)


def make_process_one_of(count: int, rank: int, device: str) -> None:
    """Makes this process one of `count` replicas, whose collective operations work already."""
    global _of_process
    _of_process = _Group([device] * count).members[rank]


def set_strategy(strategy: Any) -> None:
    """Makes the local devices of a `tf.distribute.MirroredStrategy` replicas in its steps."""
    global _strategy, _of_strategy
    _strategy = strategy
    _of_strategy = None if strategy is None else _Group(strategy.extended.worker_devices)


def of_process() -> _Replica | None:
    """This process as a replica; None if it is the only one."""
    return _of_process


def number() -> int:
    """Number of workers or local devices that share every batch."""
    if _strategy is not None:
        return _strategy.num_replicas_in_sync
    return 1 if _of_process is None else _of_process.count


@contextlib.contextmanager
def together(synchronized: bool = True) -> Iterator[None]:
    """Within it, all replicas trace the same step, and the functions below concern all.

    Args:
        synchronized: Whether batch normalisation uses the statistics of the complete batch.
    """
    replica = _of_process
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
    if not isinstance(replica.base, int):
        raise ValueError("A body that is traced once must not contain another one.")
    before = replica.base, replica.used
    replica.base, replica.used = keys, 0
    try:
        yield
        if replica.used > _BLOCK:
            raise ValueError(f"A body makes {replica.used} sums, more than {_BLOCK}.")
    finally:
        replica.base, replica.used = before


def take_place() -> Any:
    """Place of an operation, for `summed` in a forward pass; None if alone.

    Its `of_gradient()` is the place of an operation in the gradient.
    """
    replica = _step.get()
    return None if replica is None else replica.take_place()


def summed(values: Any, place: Any = None) -> Any:
    """Sum over the replicas of tensors of one shape; the gradient is summed, too.

    Args:
        values: A tensor of any shape, the same on all replicas.
        place: See `take_place`; by default the next one.
    """
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
    """Stacks the tensors of all replicas, `(replicas, ...)`; it has no gradient.

    Args:
        values: A tensor of any shape, the same on all replicas.
        place: See `take_place`; by default the next one.
    """
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

    def flush() -> None:
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
            flush()
        bucket.append(each)
    flush()
    return found


def with_mean_value(loss: Any) -> Any:
    """A loss with the value of the mean over the replicas, and its own gradient."""
    if count() == 1:
        return loss
    return loss + keras.ops.stop_gradient(summed(loss) / count() - loss)
