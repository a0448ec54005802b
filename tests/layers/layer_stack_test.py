"""A stack of layers against separate layers with the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.layer_stack import LayerStack
from keras_fasterseg.layers.mixed_op import MixedOp
from tests.layers.released_weights import assert_close_to_size

COUNT = 3
FILTERS = 16
WIDTHS = (0.5, 1.0)
SHAPE = (2, 4, 6, FILTERS)
# (layer, width) of a pass: one layer runs twice, one not at all.
CALLS = [(0, 1), (2, 0), (2, 1)]


class WeightedConvolution(keras.layers.Layer):
    """The smallest layer that a stack accepts; traces faster than a `MixedOp`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.block = ConvBatchNorm(
            FILTERS, 3, width_multipliers=WIDTHS, dtype=self.dtype_policy, name="block"
        )

    def build(self, input_shape):
        self.block.build(input_shape)

    def call(self, inputs, weights, width=None, training=None):
        outputs = self.block(inputs, width=width, training=training)
        return outputs * keras.ops.cast(keras.ops.sum(weights**2), outputs.dtype)

    def compute_output_shape(self, input_shape):
        return self.block.compute_output_shape(input_shape)


def make_mixed_op() -> MixedOp:
    return MixedOp(FILTERS, 2, WIDTHS)


def built_stack(make_layer=WeightedConvolution) -> LayerStack:
    stack = LayerStack(make_layer, COUNT, name="stack")
    stack.build(SHAPE)
    generator = np.random.default_rng(0)
    for weight in stack.weights:
        if len(weight.shape) == 3:  # gamma, beta and statistics: (layers, widths, channels)
            weight.assign(generator.uniform(0.5, 1.5, size=weight.shape))
    return stack


def separate_layers(stack: LayerStack) -> list[keras.layers.Layer]:
    layers = [stack.make_layer() for _ in range(COUNT)]
    stacked = stack.stacked(stack.template.variables)
    for index, layer in enumerate(layers):
        layer.build(SHAPE)
        for variable, weight in zip(layer.variables, stacked, strict=True):
            variable.assign(weight.numpy()[index])
    return layers


def random_array(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


def choice(width: int, static: bool):
    return width if static else tf.constant(np.eye(len(WIDTHS), dtype="float32")[width])


def stack_pass(stack: LayerStack, static: bool, training: bool, frozen: bool = False):
    """Outputs, gradients to inputs and weights, and `{weight path: gradient}`, then `finish`."""
    sources = [tf.constant(random_array(*SHAPE)), tf.constant(random_array(5))]
    variables = {weight.path: weight.value for weight in stack.trainable_weights}
    with tf.GradientTape() as tape:
        tape.watch(sources)
        run = stack.start(training=training, frozen=frozen)
        outputs = [run(layer, *sources, choice(width, static)) for layer, width in CALLS]
        total = sum(tf.reduce_sum(output * random_array(*output.shape)) for output in outputs)
    by_source, by_weight = tape.gradient(total, [sources, variables])
    run.finish()
    return outputs, by_source, by_weight


def separate_pass(layers: list[keras.layers.Layer], static: bool, training: bool):
    """As `stack_pass`; the last is `[layer][number of the trainable variable]`."""
    sources = [tf.constant(random_array(*SHAPE)), tf.constant(random_array(5))]
    variables = [[variable.value for variable in layer.trainable_variables] for layer in layers]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs = [
            layers[layer](*sources, width=choice(width, static), training=training)
            for layer, width in CALLS
        ]
        total = sum(tf.reduce_sum(output * random_array(*output.shape)) for output in outputs)
    return outputs, *tape.gradient(
        total, [sources, variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )


@pytest.mark.parametrize(
    ("make_layer", "training", "static"),
    [
        (make_mixed_op, True, False),
        (WeightedConvolution, True, False),
        (WeightedConvolution, True, True),
        (WeightedConvolution, False, False),
        (WeightedConvolution, False, True),
    ],
)
def test_equals_separate_layers(make_layer, training, static):
    stack = built_stack(make_layer)
    layers = separate_layers(stack)
    before = [weight.numpy() for weight in stack.non_trainable_weights]
    outputs, by_source, by_weight = stack_pass(stack, static, training)
    expected_outputs, expected_by_source, by_variable = separate_pass(layers, static, training)
    for actual, expected in zip(outputs, expected_outputs, strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-5)
    for actual, expected in zip(by_source, expected_by_source, strict=True):
        assert_close_to_size(actual, expected, 1e-5)
    for number, weight in enumerate(stack.stacked(stack.template.trainable_variables)):
        expected = np.stack([gradients[number] for gradients in by_variable])
        actual = tf.convert_to_tensor(by_weight[weight.path])
        assert_close_to_size(actual, expected, 1e-5, weight.path)
    for number, weight in enumerate(stack.stacked(stack.template.variables)):
        expected = np.stack([layer.variables[number].numpy() for layer in layers])
        np.testing.assert_allclose(weight, expected, atol=1e-6, err_msg=weight.path)
    for weight, old in zip(stack.non_trainable_weights, before, strict=True):
        changed = (weight.numpy() != old).any((1, 2))
        np.testing.assert_array_equal(changed, [training, False, training])


@pytest.mark.parametrize("training", [True, False])
def test_int_and_one_hot_widths_agree(training):
    sliced_stack, masked_stack = built_stack(), built_stack()
    for weight, other in zip(masked_stack.weights, sliced_stack.weights, strict=True):
        weight.assign(other)
    sliced, _, _ = stack_pass(sliced_stack, True, training)
    masked, _, _ = stack_pass(masked_stack, False, training)
    for narrow, full, (_, width) in zip(sliced, masked, CALLS, strict=True):
        active = (8, 16)[width]
        assert narrow.shape[-1] == active
        np.testing.assert_allclose(full[..., :active], narrow, atol=1e-5)
        assert not full.numpy()[..., active:].any()
    if training:
        for weight, other in zip(masked_stack.weights, sliced_stack.weights, strict=True):
            np.testing.assert_allclose(weight, other, atol=1e-6, err_msg=weight.path)


@pytest.mark.parametrize("static", [True, False])
def test_frozen_spares_only_the_gradient_to_the_weights(static):
    stack = built_stack()
    outputs, by_source, by_weight = stack_pass(stack, static, False)
    frozen_outputs, frozen_by_source, frozen_by_weight = stack_pass(stack, static, False, True)
    for actual, expected in zip(frozen_outputs, outputs, strict=True):
        np.testing.assert_array_equal(actual, expected)
    for actual, expected in zip(frozen_by_source, by_source, strict=True):
        assert_close_to_size(actual, expected, 1e-6)
    for path, gradient in by_weight.items():
        assert tf.convert_to_tensor(gradient).numpy().any(), path
        frozen = frozen_by_weight[path]
        assert frozen is None or not tf.convert_to_tensor(frozen).numpy().any(), path


def test_one_trace_a_shape():
    stack = built_stack()
    mixture = random_array(5)

    def run_all(height, widths, **kwargs):
        run = stack.start(**kwargs)
        for index, width in enumerate(widths):
            run(index, tf.ones((1, height, 4, FILTERS)), tf.constant(mixture), width)
        run.finish()
        return stack._traced.traced.experimental_get_tracing_count()

    one_hot_widths = [choice(width, False) for width in (0, 1, 0)]
    assert run_all(4, one_hot_widths) == 1
    assert run_all(4, one_hot_widths[::-1]) == 1
    assert run_all(6, one_hot_widths) == 2
    assert run_all(6, one_hot_widths, training=True) == 3
    assert run_all(6, [0, 0, 0], training=True) == 4
    assert run_all(6, [0, 1, 0], training=True) == 5
    assert run_all(6, [0, 1, 0], training=True, frozen=True) == 7
    assert run_all(6, [1, 0, 0], training=True, frozen=True) == 7


def test_a_graph_that_calls_it_holds_one_body_and_equals_eager():
    stack, eager_stack = built_stack(), built_stack()
    for weight, other in zip(eager_stack.weights, stack.weights, strict=True):
        weight.assign(other)

    @tf.function(autograph=False)
    def step(inputs, mixture, width):
        run = stack.start(training=True)
        for layer in range(COUNT):
            inputs = run(layer, inputs, mixture, width)
        run.finish()
        return inputs

    arguments = [random_array(*SHAPE), random_array(5), choice(0, False)]
    outputs = step(*[tf.constant(argument) for argument in arguments])
    run = eager_stack.start(training=True)
    expected = arguments[0]
    for layer in range(COUNT):
        expected = run(layer, expected, arguments[1], arguments[2])
    run.finish()
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    for weight, other in zip(stack.weights, eager_stack.weights, strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-6, err_msg=weight.path)
    assert stack._traced.traced.experimental_get_tracing_count() == 1
    (concrete,) = step._list_all_concrete_functions()
    kinds = [operation.type for operation in concrete.graph.get_operations()]
    assert "Conv2D" not in kinds
    assert sum("PartitionedCall" in kind for kind in kinds) == COUNT


def test_half_precision_equals_separate_layers():
    stack = built_stack(lambda: WeightedConvolution(dtype="mixed_bfloat16"))
    layers = separate_layers(stack)
    assert all(weight.dtype == "float32" for weight in stack.weights)
    run = stack.start(training=True)
    inputs, mixture = random_array(*SHAPE), random_array(5)
    for static in (True, False):
        outputs = run(1, inputs, mixture, choice(0, static))
        expected = layers[1](inputs, mixture, width=choice(0, static), training=True)
        assert outputs.dtype == expected.dtype == tf.bfloat16
        # Eager and traced operations round at different places, to 8 bits.
        assert_close_to_size(
            tf.cast(outputs, "float32"), tf.cast(expected, "float32").numpy(), 2**-6
        )


def test_weights_are_named_after_the_layer_and_survive_saving(tmp_path):
    stack = built_stack(make_mixed_op)
    names = [weight.name for weight in stack.weights]
    assert len(set(names)) == len(names)
    assert "conv_2x.block_1.convolution.kernel" in names
    assert "skip.normalization.moving_mean" in names
    kernel = next(w for w in stack.weights if w.name == "conv.block_0.convolution.kernel")
    assert kernel.shape == (COUNT, 3, 3, FILTERS, FILTERS)
    # Every layer has a draw of its own.
    assert len(np.unique(kernel.numpy()[:, 0, 0, 0, 0])) == COUNT

    def model_of(layer):
        model = keras.Sequential([layer])
        model.built = True
        return model

    model_of(stack).save_weights(tmp_path / "stack.weights.h5")
    restored = LayerStack(make_mixed_op, COUNT, name="stack")
    restored.build(SHAPE)
    model_of(restored).load_weights(tmp_path / "stack.weights.h5")
    for weight, other in zip(restored.weights, stack.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_output_shape_is_that_of_a_layer():
    stack = LayerStack(make_mixed_op, COUNT)
    assert stack.compute_output_shape((2, 8, 6, FILTERS)) == (2, 4, 3, FILTERS)


def test_needs_a_layer():
    with pytest.raises(ValueError, match="count=0"):
        LayerStack(make_mixed_op, 0)
