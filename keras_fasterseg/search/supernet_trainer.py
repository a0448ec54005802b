"""Base class of the trainers of a supernet. This file selects the backend's engine."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras

from keras_fasterseg.setting import require
from keras_fasterseg.spaces.base import Choices, SearchModel, Tensor

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
    """Trains a supernet; subclasses define `step`, and the backend's engine runs its updates.

    Args:
        model: The supernet and the architectures.
    """

    def __init__(self, model: SearchModel, **kwargs):
        check_backend()
        super().__init__(**kwargs)
        self.model = model
        # Checkpoints store attributes under these names.
        self.supernet = model.supernet
        for role, architecture in model.architectures.items():
            setattr(self, role, architecture)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.built = True

    def compile(self, optimizer, **kwargs):
        # JAX compiles every step. On TensorFlow, XLA would need an hour for the graph of one.
        super().compile(optimizer=optimizer, **{"jit_compile": BACKEND == "jax", **kwargs})

    @property
    def metrics(self):
        return [self.loss_tracker]

    def step(self, data: Any) -> None:
        """Makes the updates of one step and records their losses in `metrics`."""
        raise NotImplementedError

    if TYPE_CHECKING:

        def update(
            self,
            choose: Callable[[], tuple[Choices, Any]],
            loss: Callable[[Choices], Tensor],
            trained: Sequence[tuple[keras.optimizers.Optimizer, Sequence[keras.Variable]]],
            terms: Callable[[Any], Tensor] | None = None,
        ) -> tuple[Tensor, Tensor]:
            """Updates variables by the gradient of `loss(choices) + terms(own)`.

            Args:
                choose: Returns the settings of the pass, `choices`, and `own`.
                loss: Sum of the losses of the settings, a scalar.
                trained: The variables to update, with their optimizers.
                terms: Additional terms, a scalar function of `own`; `None` for no terms.

            Returns:
                The loss without and with the additional terms.
            """
            ...
