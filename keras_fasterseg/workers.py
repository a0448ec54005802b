"""Processes that train one network together, each on its part of every batch.

Every worker builds the same network from the same seed. In a step, sums over the batch (of
gradients, of batch statistics, of losses) are sums over all workers, by the collective operations
of TensorFlow; everything else of a worker is as if it were alone. The first worker is the chief,
which alone evaluates and writes.

This file has a switch: only TensorFlow has such workers.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import keras

_GROUP_KEY = 4711
# Keys of a traced body that is called many times: it has fewer collective operations.
_BLOCK = 256
# Operations of gradients have the keys of their operation, plus this.
_GRADIENTS = 1 << 30
_BUCKET_BYTES = 1 << 22


@dataclasses.dataclass
class _Keys:
    """Keys of collective operations, equal on all workers because they trace the same steps."""

    first: Any = 1
    used: int = 0

    def take(self, count: int = 1) -> Any:
        key = self.first + self.used
        self.used += count
        return key


_count, _rank = 1, 0
_together = False
_keys = _Keys()


def join() -> None:
    """Makes this process one of the workers that the environment variable TF_CONFIG lists.

    It must be called before TensorFlow computes anything, and waits for the other workers.

    Raises:
        ValueError: Keras does not run on TensorFlow, or TF_CONFIG is missing or wrong.
    """
    global _count, _rank
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Only TensorFlow trains with several workers. Received: "
            f"KERAS_BACKEND={keras.backend.backend()}"
        )
    count, rank = _cluster(os.environ.get("TF_CONFIG"))
    import tensorflow as tf

    # It starts TensorFlow's server of collective operations and checks that the others live.
    tf.distribute.MultiWorkerMirroredStrategy()
    _count, _rank = count, rank


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


def total() -> int:
    """Number of workers of this training."""
    return _count


def rank() -> int:
    """Number of this worker; 0 is the chief."""
    return _rank


def is_chief() -> bool:
    """True for the worker that evaluates and writes, and if there is only one."""
    return _rank == 0


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Within it, all workers trace the same step, and the functions below concern all."""
    global _together
    before, _together = _together, _count > 1
    try:
        yield
    finally:
        _together = before


def count() -> int:
    """Number of workers that share the batch of this step; 1 outside `together`."""
    return _count if _together else 1


def take_block() -> Any:
    """Key for one call of a body that is traced once, to be used with `block`; None if alone."""
    return None if count() == 1 else keras.ops.convert_to_tensor(_keys.take(_BLOCK), "int32")


@contextlib.contextmanager
def block(key: Any) -> Iterator[None]:
    """Within it, operations take their keys from that of `take_block`, a tensor."""
    global _keys
    before = _keys
    if key is not None:
        _keys = _Keys(key)
    try:
        yield
    finally:
        _keys = before


def take_key() -> Any:
    """Key for one of the operations below."""
    return _keys.take()


def gradient_key(key: Any) -> Any:
    """Key for the gradient of the operation with this key."""
    return key + _GRADIENTS


def summed(values: Any, key: Any = None) -> Any:
    """Sum over the workers of tensors of one shape; the gradient is summed, too."""
    if count() == 1:
        return values
    return _summed(values, take_key() if key is None else key)


def gathered(values: Any, key: Any = None) -> Any:
    """Stacks the tensors of all workers, `(workers, ...)`; it has no gradient."""
    values = keras.ops.stop_gradient(values)
    if count() == 1:
        return values[None]
    mine = keras.ops.one_hot(_rank, _count, dtype=values.dtype)
    mine = keras.ops.reshape(mine, (-1, *[1] * len(values.shape)))
    return summed(mine * values[None], key)


def mean_of(values: Sequence[Any]) -> list[Any]:
    """Means over the workers of tensors, such as gradients, in a few operations."""
    if count() == 1:
        return list(values)
    import tensorflow as tf

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
    """A loss with the value of the mean over the workers, and its own gradient."""
    if count() == 1:
        return loss
    return loss + keras.ops.stop_gradient(summed(loss) / count() - loss)


def from_chief(values: Sequence[Any]) -> list[Any]:
    """The chief's arrays, on every worker, which give arrays of the same shapes and types.

    It runs at once, outside of steps, and waits until all workers call it.
    """
    if _count == 1:
        return list(values)
    import numpy as np

    return [
        _summed(
            keras.ops.convert_to_tensor(array if is_chief() else np.zeros_like(array)),
            keras.ops.convert_to_tensor(_keys.take(), "int32"),
        )
        .numpy()
        .astype(original.dtype)
        for original in map(np.asarray, values)
        for array in [_collective(original)]
    ]


def told(decision: bool = False) -> bool:
    """The chief's decision, on every worker; it waits until all workers call it."""
    return bool(from_chief([int(decision)])[0])


@contextlib.contextmanager
def loss_reported() -> Iterator[None]:
    """Turns errors of a step that follow from the loss of another worker into one sentence.

    Raises:
        ConnectionError: Another worker was lost.
    """
    if _count == 1:
        yield
        return
    import tensorflow as tf

    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError) as error:
        raise ConnectionError(
            f"Worker {_rank} of {_count} lost another one; start all of them again."
        ) from error


def _collective(array):
    """Collective operations exist for floats and signed integers."""
    return array if array.dtype.kind == "f" else array.astype("int64")


def _summed(values: Any, key: Any) -> Any:
    import tensorflow as tf

    @tf.custom_gradient
    def everywhere(values):
        found = tf.raw_ops.CollectiveReduceV2(
            input=values,
            group_size=_count,
            group_key=_GROUP_KEY,
            instance_key=key,
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
            communication_hint="ring",
        )
        return found, lambda upstream: _summed(upstream, gradient_key(key))

    return everywhere(values)
