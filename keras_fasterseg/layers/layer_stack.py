"""Stack of equal layers with stacked weights and a single trace.

The paper's supernet has 73 `MixedOp`s of only five shapes. As ordinary layers they need 1,600
variables and minutes of tracing. Here each shape is one `LayerStack`, with a hundred variables in
total, and backends with a tracer trace its body once. This file selects the backend's tracer.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fasterseg import replicas


def trace_once(function: Callable, on_jax: bool = True) -> Callable:
    """Returns `function` traced once per combination of shapes, dtypes and Python arguments.

    On TensorFlow the traced function is never inlined: a graph with 16 calls contains and optimises
    one body. Bools, numbers, `None` and tuples of them among the keyword arguments are constants.

    Args:
        function: The function to trace.
        on_jax: Whether JAX traces it, too. JAX cannot trace on its own a function that changes
            variables or has a custom gradient.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        def body(*arguments, key, **keywords):
            with replicas.block(key):
                return function(*arguments, **keywords)

        options: Any = {"autograph": False, "experimental_attributes": {"_noinline": True}}
        traced = tf.function(body, **options)

        def call(*arguments, **keywords):
            return traced(*arguments, key=replicas.take_block(), **keywords)

        call.traced = traced
        return call
    if keras.backend.backend() == "jax" and on_jax:
        import jax  # pyright: ignore[reportMissingImports]

        constants = ("width_index", "training", "frozen")
        known = inspect.signature(function).parameters
        return jax.jit(function, static_argnames=[each for each in constants if each in known])
    return function


def _split(values: Any, sizes: list[int]) -> list[Any]:
    """Splits along the last axis by sizes; on TensorFlow, 3 nodes instead of 24."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.split(values, sizes, axis=-1)
    return ops.split(values, [int(end) for end in np.cumsum(sizes[:-1])], axis=-1)


class LayerStack(keras.layers.Layer):
    """`count` layers of one class and shape, with weights stacked along a first axis.

    Weights are unstacked once per pass, and changed statistics are stacked again at its end.
    Therefore a pass is an object:

        run = stack.start(training=True)
        outputs = run(0, inputs, weights, width)
        run.finish()

    Args:
        make_layer: Makes one unbuilt layer. Its `call` accepts `inputs`, `weights`, `width` and
            `training`, like `MixedOp`. Its weights are kernels with at least three axes, and other
            weights that differ only in the last axis.
        count: Number of layers.

    Weights: the weights of one layer with the same names and a first axis of length `count`.
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
        # The last layer provides the computation, never its weights; Keras must not track it.
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
        # Kernels are separate arguments of the body; other weights are packed into one tensor,
        # because every argument and result costs tracing time.
        self._is_kernel = [len(each.shape) > 2 for each in layer.trainable_variables]
        self._rest = _Packing(each for each in layer.trainable_variables if len(each.shape) <= 2)
        self._fixed = _Packing(layer.non_trainable_variables)

    @property
    def template(self) -> keras.layers.Layer:
        """Layer that provides the computation; its own weights are never read."""
        return self._template.value

    def stacked(self, variables: Sequence[keras.Variable]) -> list[keras.Variable]:
        """Stacked counterparts of these weights of the template."""
        return [self._stacked[variable.path] for variable in variables]

    def start(self, training: bool = False, frozen: bool = False) -> "StackRun":
        """Starts a pass over the layers.

        Args:
            training: Passed to the layers.
            frozen: True if no gradient to the weights is needed; skips its computation.
        """
        return StackRun(self, training, frozen)

    def _body(
        self,
        kernels,
        rest,
        fixed,
        inputs,
        weights,
        width,
        width_index=None,
        training=False,
        frozen=False,
    ):
        kernels, rest = iter(kernels), iter(self._rest.unpack(rest))
        trainable = [next(kernels if is_kernel else rest) for is_kernel in self._is_kernel]
        if frozen:
            trainable = [ops.stop_gradient(value) for value in trainable]
        outputs, fixed, *_ = self.template.stateless_call(
            trainable,
            self._fixed.unpack(ops.stop_gradient(fixed)),
            inputs,
            weights,
            width=width if width_index is None else width_index,
            training=training,
        )
        return outputs, ops.stop_gradient(self._fixed.pack(fixed))

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
        kernels, rest = [], []
        trainable = stack.stacked(layer.trainable_variables)
        for variable, is_kernel in zip(trainable, stack._is_kernel, strict=True):
            (kernels if is_kernel else rest).append(ops.convert_to_tensor(variable))
        unstacked = [ops.unstack(kernel) for kernel in kernels]
        self._kernels = [[each[index] for each in unstacked] for index in range(stack.count)]
        # Without any, every layer gets an empty tensor.
        self._rest = ops.unstack(stack._rest.pack(rest)) or [ops.zeros((0,))] * stack.count
        self._fixed = ops.unstack(stack._fixed.pack(self._state))
        # Of a step of `scan_layers`: values of layers still to run, and changed ones of others.
        self._waiting: list[Any] = []
        self._changed: list[Any] = []

    def __call__(self, index: int | None, inputs: Any, weights: Any, width: Any) -> Any:
        """Runs layer `index`.

        Args:
            index: Index of the layer; `None` for the next layer of a step of `scan_layers`.
            inputs: Its input.
            weights: `(primitives,)` or `(settings, primitives)`.
            width: Its output width: see `SlimmableConv2D`.
        """
        if index is None:
            outputs, changed = self._compute(self._waiting.pop(0), inputs, weights, width)
            self._changed.append(changed)
            return outputs
        values = self._kernels[index], self._rest[index], self._fixed[index]
        outputs, self._fixed[index] = self._compute(values, inputs, weights, width)
        return outputs

    def _compute(self, values, inputs, weights, width):
        static = isinstance(width, int)
        return self._stack._traced(
            *values,
            inputs,
            weights,
            None if static else width,
            width_index=width if static else None,
            training=self._training,
            frozen=self._frozen,
        )

    def finish(self) -> None:
        """Writes the statistics changed by training back to the stack."""
        if not self._training:
            return
        values = self._stack._fixed.unpack(ops.stack(self._fixed))
        for variable, value in zip(self._state, values, strict=True):
            variable.assign(value)


def scans(layers: Sequence[Any]) -> bool:
    """True if the backend should run these equal layers by `scan_layers`.

    XLA compiles every call of a traced body again, except in a loop.
    """
    return keras.backend.backend() == "jax" and len(layers) > 1


def scan_layers(
    step: Callable[[Any, Any], Any],
    state: Any,
    rows: Sequence[Any],
    layers: Sequence[tuple[StackRun, int, int]],
) -> Any:
    """Runs equal consecutive layers as a loop that is compiled once.

    Args:
        step: Maps a state and a row to the next state; calls each run with index `None`, as many
            times as it has layers in a step.
        state: The first state: a structure of tensors.
        rows: One structure of tensors per step.
        layers: For each pass that a step calls: itself, the index of its first layer in the first
            step, and its number of layers in a step. Later steps use the layers behind these.

    Returns:
        The last state.
    """
    runs = [run for run, *_ in layers]
    # Of every run and every layer in a step, the indexes in all steps.
    spans = [
        [slice(first + each, first + count * len(rows), count) for each in range(count)]
        for _, first, count in layers
    ]
    values = [
        [
            [
                [ops.stack(each) for each in zip(*run._kernels[span], strict=True)],
                ops.stack(run._rest[span]),
                ops.stack(run._fixed[span]),
            ]
            for span in own
        ]
        for run, own in zip(runs, spans, strict=True)
    ]
    stacked = keras.tree.map_structure(lambda *each: ops.stack(each), *rows)

    def body(state, inputs):
        row, values = inputs
        for run, own in zip(runs, values, strict=True):
            run._waiting, run._changed = list(own), []
        state = step(state, row)
        return state, [run._changed for run in runs]

    state, changed = ops.scan(body, state, (stacked, values))
    for run, own, fixed in zip(runs, spans, changed, strict=True):
        for span, each in zip(own, fixed, strict=True):
            run._fixed[span] = ops.unstack(each)
    return state


class _Hidden:
    """Prevents Keras from tracking a layer as a sublayer."""

    def __init__(self, value: Any):
        self.value = value


class _Packing:
    """Joins tensors that differ only in the last axis into one tensor along that axis."""

    def __init__(self, variables: Iterable[keras.Variable]):
        self._sizes = [variable.shape[-1] for variable in variables]

    def pack(self, values: Sequence[Any]) -> Any:
        """Returns `(..., sum of sizes)`; an empty tensor if there are no values."""
        return ops.concatenate(values, axis=-1) if values else ops.zeros((0,))

    def unpack(self, packed: Any) -> list[Any]:
        """Returns the separate tensors."""
        if not self._sizes:
            return []
        return _split(packed, self._sizes)


def _relative_path(variable: keras.Variable, layer: keras.layers.Layer) -> str:
    return variable.path.partition(f"{layer.name}/")[2]
