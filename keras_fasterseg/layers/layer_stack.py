"""Many layers of one shape, their weights stacked, their computation traced once.

The supernet of the paper has 73 `MixedOp`s of only five shapes. As ordinary layers they make 1,600
variables and minutes of tracing; here each shape is one `LayerStack`, a hundred variables in all,
whose body every backend with a tracer sees once. This file holds the switch between backends.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


def trace_once(function: Callable, stateful: bool = False) -> Callable:
    """`function`, traced once for each set of shapes, dtypes and Python arguments.

    On TensorFlow the traced function is never inlined: a graph that calls it 16 times holds and
    optimises one body. Bools, ints and `None` among the keyword arguments are constants.

    Args:
        function: The function.
        stateful: Whether it changes variables, which only TensorFlow's tracer may see.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False, experimental_attributes={"_noinline": True})
    if keras.backend.backend() == "jax" and not stateful:
        import jax  # pyright: ignore[reportMissingImports]

        return jax.jit(function, static_argnames=("width_index", "training", "frozen"))
    return function


class LayerStack(keras.layers.Layer):
    """`count` layers of the same class and shape whose weights are stacked along a first axis.

    `stack[index](inputs, ...)` would be the natural spelling; since the weights are unstacked once
    a pass and the changed statistics stacked again at its end, a pass is an object:

        run = stack.start(training=True)
        outputs = run(0, inputs, weights, width)
        run.finish()

    Args:
        make_layer: Makes one layer, unbuilt. Its `call` takes `inputs`, `weights`, `width` and
            `training`, as `MixedOp`'s does.
        count: Number of layers.

    Weights: those of the layer, by the same names, each with a first axis of length `count`.
    """

    def __init__(self, make_layer: Callable[[], keras.layers.Layer], count: int, **kwargs):
        super().__init__(**kwargs)
        if count < 1:
            raise ValueError(f"`count` must be positive. Received: count={count}")
        self.make_layer = make_layer
        self.count = count

    def build(self, input_shape):
        draws = []
        for _ in range(self.count):
            layer = self.make_layer()
            layer.build(input_shape)
            draws.append([np.asarray(variable) for variable in layer.variables])
        # The last one lends its computation, never its weights, and is hidden from Keras' tracker.
        self._template = _Hidden(layer)
        self.names = [_relative_path(variable, layer) for variable in layer.variables]
        self._stacked = {}
        for index, variable in enumerate(layer.variables):
            values = np.stack([draw[index] for draw in draws])
            for draw in draws:
                draw[index] = None
            self._stacked[variable.path] = self.add_weight(
                name=self.names[index].replace("/", "."),
                shape=values.shape,
                initializer=lambda shape, dtype=None, values=values: ops.cast(values, dtype),
                trainable=variable.trainable,
                autocast=False,
            )
        self._traced = trace_once(self._body)

    @property
    def template(self) -> keras.layers.Layer:
        """The layer whose computation all share; its own weights are never read."""
        return self._template.value

    def stacked(self, variables: Sequence[keras.Variable]) -> list[keras.Variable]:
        """The stacked weights that stand for these weights of the template."""
        return [self._stacked[variable.path] for variable in variables]

    def start(self, training: bool = False, frozen: bool = False) -> "StackRun":
        """A pass over the layers.

        Args:
            training: Passed to the layers.
            frozen: Whether no gradient to the weights will be asked for, which spares its cost.
        """
        return StackRun(self, training, frozen)

    def _body(
        self,
        trainable,
        fixed,
        inputs,
        weights,
        width,
        width_index=None,
        training=False,
        frozen=False,
    ):
        if frozen:
            trainable = [ops.stop_gradient(value) for value in trainable]
        outputs, fixed = self.template.stateless_call(
            trainable,
            [ops.stop_gradient(value) for value in fixed],
            inputs,
            weights,
            width=width if width_index is None else width_index,
            training=training,
        )
        return outputs, [ops.stop_gradient(value) for value in fixed]

    def compute_output_shape(self, input_shape):
        return self.make_layer().compute_output_shape(input_shape)


class StackRun:
    """One pass over the layers of a `LayerStack`."""

    def __init__(self, stack: LayerStack, training: bool, frozen: bool):
        layer = stack.template
        self._stack = stack
        self._training = training
        self._frozen = frozen
        self._state = stack.stacked(layer.non_trainable_variables)
        self._trainable = _unstack(stack.stacked(layer.trainable_variables))
        self._fixed = _unstack(self._state)

    def __call__(self, index: int, inputs: Any, weights: Any, width: Any) -> Any:
        """The output of layer `index`.

        Args:
            index: Which layer.
            inputs: Its input.
            weights: `(primitives,)`.
            width: Its output width: see `SlimmableConv2D`.
        """
        static = isinstance(width, int)
        outputs, self._fixed[index] = self._stack._traced(
            self._trainable[index],
            self._fixed[index],
            inputs,
            weights,
            None if static else width,
            width_index=width if static else None,
            training=self._training,
            frozen=self._frozen,
        )
        return outputs

    def finish(self) -> None:
        """Writes the statistics that training changed back to the stack."""
        if not self._training:
            return
        for index, variable in enumerate(self._state):
            variable.assign(ops.stack([values[index] for values in self._fixed]))


class _Hidden:
    """Keeps a layer from being tracked as a sublayer of the one that uses it."""

    def __init__(self, value: Any):
        self.value = value


def _unstack(variables: Sequence[keras.Variable]) -> list[list[Any]]:
    """`[variable][layer]` turned to `[layer][variable]`."""
    unstacked = [ops.unstack(ops.convert_to_tensor(variable)) for variable in variables]
    return [list(values) for values in zip(*unstacked, strict=True)]


def _relative_path(variable: keras.Variable, layer: keras.layers.Layer) -> str:
    return variable.path.partition(f"{layer.name}/")[2]
