"""Devices of this machine that share the batches of a training."""

import contextlib
from collections.abc import Iterator

import keras
from absl import logging

from keras_fasterseg import workers
from keras_fasterseg.setting import require

AUTO, WORKERS = "auto", "workers"
_chosen: int | str = AUTO


def choose_devices(devices: int | str) -> None:
    """Chooses the devices of all trainings in this process, once, before Keras computes anything.

    - `AUTO`: on JAX all local ones, on other backends one.
    - A number: the first local ones. Without GPUs they are logical CPU devices, which share the
      cores.
    - `WORKERS`: see `keras_fasterseg.workers.join`.

    Raises:
        ValueError: The backend cannot do so, there are fewer devices, or TF_CONFIG is wrong.
    """
    global _chosen
    backend = keras.backend.backend()
    if devices == WORKERS:
        workers.join()
    elif backend == "jax" and isinstance(devices, int):
        import jax  # pyright: ignore[reportMissingImports]

        # Without effect where there are GPUs.
        jax.config.update("jax_num_cpu_devices", devices)
        found = len(jax.local_devices())
        require(found >= devices, f"JAX has {found} devices, fewer than --devices={devices}.")
    elif isinstance(devices, int):
        workers.use_devices(devices)
    _chosen = devices


@contextlib.contextmanager
def local_devices(batch_size: int) -> Iterator[None]:
    """Divides the batches of a training inside the context among the chosen local devices.

    Every device gets the same weights and an equal part of a batch; losses, gradients and batch
    statistics are those of the complete batch.

    Args:
        batch_size: Images per batch. If all local devices of JAX cannot share them equally, and
            nobody chose their number, one device is used, with a warning.

    Raises:
        ValueError: The chosen number of devices cannot share a batch equally.
    """
    check_divisible(batch_size)
    if keras.backend.backend() != "jax":
        _mention_idle_gpus()
        with workers.local_devices():
            yield
        return
    devices = keras.distribution.list_devices()
    if isinstance(_chosen, int):
        devices = devices[:_chosen]
    if len(devices) < 2:
        yield
        return
    if batch_size % len(devices):
        logging.warning(
            "A batch of %d images cannot be divided among %d devices: only one is used. Choose a "
            "multiple of %d.",
            batch_size,
            len(devices),
            len(devices),
        )
        yield
        return
    with keras.distribution.DataParallel(devices=devices).scope():
        yield


def check_divisible(batch_size: int, name: str = "batch_size") -> None:
    """Raises `ValueError` if the chosen devices or workers cannot share a batch equally."""
    count = _chosen if isinstance(_chosen, int) else workers.total()
    require(
        batch_size % count == 0,
        f"{name}={batch_size}: a batch of {batch_size} images cannot be divided equally among "
        f"{count} {'workers' if _chosen == WORKERS else 'devices'}. Choose a multiple of {count}.",
    )


def _mention_idle_gpus() -> None:
    if _chosen != AUTO or keras.backend.backend() != "tensorflow":
        return
    gpus = keras.distribution.list_devices("gpu")
    if len(gpus) > 1:
        logging.info("Training uses one of %d GPUs; --devices=%d uses all.", len(gpus), len(gpus))
