"""Training of architectures and weights, in turns or together on one batch."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_fasterseg.search.supernet_trainer import SupernetTrainer
from keras_fasterseg.spaces.base import Choices, SearchModel, Tensor


class SearchTrainer(SupernetTrainer):
    """Alternates a step of the architectures and a step of the weights.

    The loss of a step is summed over the choices of the search space. Architectures also get the
    latency penalty and the space's regularization. The method is first order: neither step
    differentiates through the other.

    Compile with both optimizers:
    `compile(optimizer=L2SGD(..., global_clipnorm=5.0), architecture_optimizer=Adam(...))`.

    Args:
        model: The supernet and the architectures.
        penalty: The student's latency penalty, a function of its choices; `None` for no penalty.
        penalty_weight: Initial weight of the penalty, lambda.
        temperature: Initial temperature of the sampling.
        single_level: Whether one loss on one batch updates both weights and architectures.
        **kwargs: As for `SupernetTrainer`.

    Data: pairs of pairs, `((images, labels), (images, labels))`: the first for the weights, the
    second for the architectures. With `single_level`, pairs of images and labels.

    Reference:
        FasterSeg, sections 3.2 to 3.4 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        model: SearchModel,
        penalty: Callable[[Choices], Tensor] | None = None,
        penalty_weight: float = 0.06,
        temperature: float = 1.0,
        single_level: bool = False,
        **kwargs,
    ):
        super().__init__(model, **kwargs)
        self.penalty = penalty
        self.penalty_weight = self._scalar("penalty_weight", penalty_weight)
        self.temperature = self._scalar("temperature", temperature)
        self.single_level = single_level
        self.architecture_optimizer: Any = None
        self.architecture_loss_tracker = keras.metrics.Mean(name="architecture_loss")
        self.penalty_tracker = keras.metrics.Mean(name="latency_penalty")

    def _scalar(self, name: str, value: float) -> keras.Variable:
        initializer = keras.initializers.Constant(value)
        return self.add_weight(
            shape=(), initializer=initializer, name=name, trainable=False, autocast=False
        )

    def compile(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, optimizer, architecture_optimizer, **kwargs
    ):
        super().compile(optimizer=optimizer, **kwargs)
        self.architecture_optimizer = architecture_optimizer
        optimizer.build(self.supernet.trainable_variables)
        architecture_optimizer.build(self.architecture_variables)

    @property
    def architecture_variables(self) -> list[keras.Variable]:
        """The trainable variables of all architectures."""
        return [
            variable
            for architecture in self.model.architectures.values()
            for variable in architecture.trainable_variables
        ]

    @property
    def non_trainable_variables(self):
        # On JAX, everything that a step changes is its argument.
        slots = getattr(self.architecture_optimizer, "variables", ())
        return [*super().non_trainable_variables, *slots]

    @property
    def expected_ms(self) -> Callable[[Choices], Tensor] | None:
        """Expected latency of choices under a two-sided penalty; None for other penalties.

        See `SearchSpace.penalty`.
        """
        return getattr(self.penalty, "expected_ms", None)

    @property
    def metrics(self):
        return [self.loss_tracker, self.architecture_loss_tracker, self.penalty_tracker]

    def step(self, data):
        weights = (self.optimizer, self.supernet.trainable_variables)
        architectures = (self.architecture_optimizer, self.architecture_variables)
        if self.single_level:
            images, labels = data
            loss, total = self.update(
                self._choices,
                lambda choices: self.model.loss(images, labels, choices),
                [weights, architectures],
                self._terms,
            )
            self.loss_tracker.update_state(loss)
            self.architecture_loss_tracker.update_state(total)
            return
        (images, labels), (architecture_images, architecture_labels) = data
        _, total = self.update(
            self._choices,
            lambda choices: self.model.loss(
                architecture_images, architecture_labels, choices, frozen=True
            ),
            [architectures],
            self._terms,
        )
        self.architecture_loss_tracker.update_state(total)
        loss, _ = self.update(
            self._choices, lambda choices: self.model.loss(images, labels, choices), [weights]
        )
        self.loss_tracker.update_state(loss)

    def _choices(self) -> tuple[Choices, Choices]:
        return self.model.search_choices(ops.convert_to_tensor(self.temperature))

    def _terms(self, choices: Choices) -> Tensor:
        """Returns the weighted penalty plus the space's regularization."""
        penalty = ops.zeros(()) if self.penalty is None else self.penalty(choices)
        self.penalty_tracker.update_state(penalty)
        return penalty * ops.convert_to_tensor(self.penalty_weight) + self.model.regularization()
