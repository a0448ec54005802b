"""Training of architectures and weights, in turns or together on one batch."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fasterseg.spaces.base import Choices, SearchModel, Tensor


class SearchTrainer(keras.Model):
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
        super().__init__(**kwargs)
        self.model = model
        # Checkpoints store attributes under these names.
        self.supernet = model.supernet
        for role, architecture in model.architectures.items():
            setattr(self, role, architecture)
        self.penalty = penalty
        self.penalty_weight = self._scalar("penalty_weight", penalty_weight)
        self.temperature = self._scalar("temperature", temperature)
        self.single_level = single_level
        self.architecture_optimizer: Any = None
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.architecture_loss_tracker = keras.metrics.Mean(name="architecture_loss")
        self.penalty_tracker = keras.metrics.Mean(name="latency_penalty")
        self.built = True

    def _scalar(self, name: str, value: float) -> keras.Variable:
        initializer = keras.initializers.Constant(value)
        return self.add_weight(
            shape=(), initializer=initializer, name=name, trainable=False, autocast=False
        )

    def compile(self, optimizer, architecture_optimizer, **kwargs):
        super().compile(optimizer=optimizer, jit_compile=False, **kwargs)
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
    def expected_ms(self) -> Callable[[Choices], Tensor] | None:
        """Expected latency of choices under a two-sided penalty; None for other penalties.

        See `SearchSpace.penalty`.
        """
        return getattr(self.penalty, "expected_ms", None)

    @property
    def metrics(self):
        return [self.loss_tracker, self.architecture_loss_tracker, self.penalty_tracker]

    def train_step(self, data):
        if self.single_level:
            self._joint_step(*data)
        else:
            weight_batch, architecture_batch = data
            self._architecture_step(*architecture_batch)
            self._weight_step(*weight_batch)
        return {metric.name: metric.result() for metric in self.metrics}

    def _architecture_step(self, images, labels):
        variables = self.architecture_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            choices, own = self._choices()
            loss = self.model.loss(images, labels, choices, frozen=True) + self._terms(own)
        self.architecture_optimizer.apply(_gradients(tape, loss, variables), variables)
        self.architecture_loss_tracker.update_state(loss)

    def _weight_step(self, images, labels):
        weights = self.supernet.trainable_variables
        choices, _ = self._choices()
        with tf.GradientTape() as tape:
            loss = self.model.loss(images, labels, choices)
        self.optimizer.apply(_gradients(tape, loss, weights), weights)
        self.loss_tracker.update_state(loss)

    def _joint_step(self, images, labels):
        weights, variables = self.supernet.trainable_variables, self.architecture_variables
        with tf.GradientTape() as tape:
            choices, own = self._choices()
            loss = self.model.loss(images, labels, choices)
            total = loss + self._terms(own)
        gradients = _gradients(tape, total, [*weights, *variables])
        self.optimizer.apply(gradients[: len(weights)], weights)
        self.architecture_optimizer.apply(gradients[len(weights) :], variables)
        self.loss_tracker.update_state(loss)
        self.architecture_loss_tracker.update_state(total)

    def _choices(self) -> tuple[Choices, Choices]:
        return self.model.search_choices(tf.convert_to_tensor(self.temperature))

    def _terms(self, choices: Choices) -> Tensor:
        """Returns the weighted penalty plus the space's regularization."""
        penalty = tf.constant(0.0) if self.penalty is None else self.penalty(choices)
        self.penalty_tracker.update_state(penalty)
        return penalty * tf.convert_to_tensor(self.penalty_weight) + self.model.regularization()


def _gradients(
    tape: tf.GradientTape, loss: Tensor, variables: Sequence[keras.Variable]
) -> list[Tensor]:
    """Returns gradients; zero for variables unused in this step, so that decay still applies."""
    return tape.gradient(
        loss,
        [variable.value for variable in variables],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
