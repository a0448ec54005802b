"""Base class of the trainers of a supernet. This file selects the backend's engine."""

from typing import TYPE_CHECKING

import keras

from keras_fasterseg.setting import require
from keras_fasterseg.spaces.base import SearchModel

BACKEND = keras.backend.backend()

if BACKEND == "tensorflow" or TYPE_CHECKING:
    from keras_fasterseg.search.tensorflow_engine import Engine
elif BACKEND == "jax":
    from keras_fasterseg.search.jax_engine import Engine
else:
    Engine = keras.Model


def check_backend() -> None:
    """Raises `ValueError` if Keras runs on a backend without an engine."""
    require(
        BACKEND in ("tensorflow", "jax"),
        "A supernet is trained on TensorFlow or JAX; set KERAS_BACKEND=tensorflow or "
        f"KERAS_BACKEND=jax. Received: KERAS_BACKEND={BACKEND}",
    )


class SupernetTrainer(Engine):
    """Trains a supernet; subclasses define a step, and the backend's engine runs its updates.

    `step(data)` makes the updates of one batch and records their losses in `metrics`. It calls
    `update(choose, loss, trained, terms)`, which changes variables by the gradient of
    `loss(choices) + terms(own)` and returns the loss without and with these terms, two scalars:

    - `choose()` returns the settings of the pass, `choices`, and `own`, which only `terms` reads.
    - `loss(choices)` is the sum of the losses of the settings. An engine may call it with each of
      `SearchModel.passes(choices)` instead.
    - `trained` lists pairs of an optimizer and the variables that it updates.
    - `terms(own)` is a scalar; `None` for no additional terms.

    Args:
        model: The supernet and the architectures.
        sync_batch_norm: Whether devices that share a batch normalise it by its own statistics
            instead of their parts'.

    Raises:
        ValueError: Keras's backend has no engine.
    """

    def __init__(self, model: SearchModel, sync_batch_norm: bool = True, **kwargs):
        check_backend()
        super().__init__(**kwargs)
        self.sync_batch_norm = sync_batch_norm
        self.model = model
        # Checkpoints store attributes under these names.
        self.supernet = model.supernet
        for role, architecture in model.architectures.items():
            setattr(self, role, architecture)
            # It has its variables; JAX's training loop would call it to build it.
            architecture.built = True
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.built = True

    def compile(self, optimizer, **kwargs):
        # "auto" would differ between machines on TensorFlow; JAX without it would not compile.
        super().compile(optimizer=optimizer, **{"jit_compile": BACKEND == "jax", **kwargs})

    @property
    def metrics(self):
        return [self.loss_tracker]
