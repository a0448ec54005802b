"""Devices that share the batches of a training. This file has a switch for JAX."""

import contextlib
from collections.abc import Iterator

import keras
from absl import logging


@contextlib.contextmanager
def all_local_devices(batch_size: int) -> Iterator[None]:
    """On JAX, divides the batches of a training inside the context among all local devices.

    Every device gets the same weights and an equal part of a batch; losses, gradients and batch
    statistics are those of the complete batch. Other backends use one device.

    Args:
        batch_size: Images per batch. If the devices cannot share them equally, one device is used,
            with a warning.
    """
    devices = keras.distribution.list_devices() if keras.backend.backend() == "jax" else []
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
