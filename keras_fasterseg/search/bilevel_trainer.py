"""The search: weights on one half of the data, architectures on the other, in turn."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_fasterseg.latency.costs import LatencyCosts
from keras_fasterseg.latency.decoupled import PAPER, LatencyWeights, decoupled_latency
from keras_fasterseg.latency.estimator import expected_latency
from keras_fasterseg.search.supernet_loss import SupernetLoss, uniform_setting
from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.choices import Choices, stack_settings
from keras_fasterseg.spaces.fasterseg.supernet import Supernet


class LatencyPenalty:
    """The student's expected latency as a share of a target.

    Args:
        costs: What the operations cost on the device.
        target_ms: Latency that counts as 1, in milliseconds: 1000 over the middle of the band of
            frame rates.
        weights: Shares of operators, paths and widths, each free in a term of its own; None leaves
            the latency undivided: one term in which all three are free.
    """

    def __init__(
        self, costs: LatencyCosts, target_ms: float, weights: LatencyWeights | None = PAPER
    ):
        if target_ms <= 0:
            raise ValueError(f"`target_ms` must be positive. Received: target_ms={target_ms}")
        self.costs = costs
        self.target_ms = target_ms
        self.weights = weights

    def __call__(self, choices: Choices) -> tf.Tensor:
        """The penalty of `choices`, dimensionless and differentiable."""
        families = (choices.alphas, choices.betas, choices.widths)
        if self.weights is None:
            latency = expected_latency(*families, self.costs)
        else:
            latency = decoupled_latency(*families, self.costs, self.weights)
        return latency / self.target_ms


class BilevelTrainer(keras.Model):
    """Alternates a step of the architectures and a step of the weights.

    A step sums four settings: the teacher, the student with sampled widths, the student at its
    widest and at its narrowest. Architectures also carry the student's latency penalty. First
    order: neither step looks through the other.

    Compile with both optimizers:
    `compile(optimizer=L2SGD(..., global_clipnorm=5.0), architecture_optimizer=Adam(...))`.

    Args:
        supernet: The built supernet.
        teacher, student: The architectures.
        penalty: The student's latency penalty, a function of its `Choices`; `None` for no penalty.
        penalty_weight: Initial factor of the penalty, lambda.
        temperature: Initial temperature of the width sampling.

    Data: pairs of (images, labels) pairs: `((images, labels), (images, labels))`, the first for the
    weights, the second for the architectures.

    Reference:
        FasterSeg, sections 3.2 to 3.4 (https://arxiv.org/abs/1912.10917).
    """

    def __init__(
        self,
        supernet: Supernet,
        teacher: Architecture,
        student: Architecture,
        penalty: Callable[[Choices], tf.Tensor] | None = None,
        penalty_weight: float = 0.06,
        temperature: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supernet = supernet
        self.teacher = teacher
        self.student = student
        self.penalty = penalty
        self.penalty_weight = self._scalar("penalty_weight", penalty_weight)
        self.temperature = self._scalar("temperature", temperature)
        self.architecture_optimizer = None
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.architecture_loss_tracker = keras.metrics.Mean(name="architecture_loss")
        self.penalty_tracker = keras.metrics.Mean(name="latency_penalty")
        self.supernet_loss = SupernetLoss(supernet)
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
        """Alphas, betas and gammas of both architectures."""
        return [*self.teacher.trainable_variables, *self.student.trainable_variables]

    @property
    def metrics(self):
        return [self.loss_tracker, self.architecture_loss_tracker, self.penalty_tracker]

    def train_step(self, data):
        weight_batch, architecture_batch = data
        self._architecture_step(*architecture_batch)
        self._weight_step(*weight_batch)
        return {metric.name: metric.result() for metric in self.metrics}

    def _architecture_step(self, images, labels):
        variables = self.architecture_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            settings, student = self._settings()
            penalty = self.penalty(student) if self.penalty is not None else tf.constant(0.0)
            loss = self.supernet_loss(images, labels, settings, frozen=True)
            loss += penalty * tf.convert_to_tensor(self.penalty_weight)
        gradients = tape.gradient(
            loss,
            [variable.value for variable in variables],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        self.architecture_optimizer.apply(gradients, variables)
        self.architecture_loss_tracker.update_state(loss)
        self.penalty_tracker.update_state(penalty)

    def _weight_step(self, images, labels):
        weights = self.supernet.trainable_variables
        settings, _ = self._settings()
        with tf.GradientTape() as tape:
            loss = self.supernet_loss(images, labels, settings)
        gradients = tape.gradient(loss, [variable.value for variable in weights])
        self.optimizer.apply(gradients, weights)
        self.loss_tracker.update_state(loss)

    def _settings(self) -> tuple[Choices, Choices]:
        """The four settings, and that of the sampled student."""
        widest = uniform_setting(self.supernet, len(self.supernet.width_multipliers) - 1)
        narrowest = uniform_setting(self.supernet, 0)
        student = self.student(training=True, temperature=tf.convert_to_tensor(self.temperature))
        settings = (
            dataclasses.replace(self.teacher(), widths=widest),
            student,
            dataclasses.replace(student, widths=widest),
            dataclasses.replace(student, widths=narrowest),
        )
        return stack_settings(settings), student
