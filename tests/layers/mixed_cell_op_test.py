import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.layers.cell_operations import CELL_OPERATIONS
from keras_fasterseg.layers.layer_stack import LayerStack
from keras_fasterseg.layers.mixed_cell_op import MixedCellOp

INPUTS = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")


@pytest.mark.parametrize("strides", [1, 2])
def test_the_output_is_the_weighted_sum_of_the_operations(strides):
    layer = MixedCellOp(4, strides)
    weights = np.linspace(0.1, 0.8, len(CELL_OPERATIONS)).astype("float32")
    found = ops.convert_to_numpy(layer(INPUTS, weights))
    each = [
        ops.convert_to_numpy(layer(INPUTS, one_hot))
        for one_hot in np.eye(len(CELL_OPERATIONS), dtype="float32")
    ]
    assert not each[0].any()
    expected = sum(weight * one for weight, one in zip(weights, each, strict=True))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert found.shape == layer.compute_output_shape(INPUTS.shape)


def test_it_survives_its_config():
    layer = MixedCellOp(4, 2, ("skip", "conv_1x1"), name="mixed")
    copy = MixedCellOp.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy.operations == ("skip", "conv_1x1")


@pytest.mark.backends("tensorflow", "jax")
def test_a_stack_runs_layers_without_vectors_to_train():
    keras.utils.set_random_seed(0)
    stack = LayerStack(lambda: MixedCellOp(4), 2, name="stack")
    stack.build(INPUTS.shape)
    assert all(len(each.shape) > 2 for each in stack.trainable_variables)
    run = stack.start(training=True)
    weights = np.eye(len(CELL_OPERATIONS), dtype="float32")[CELL_OPERATIONS.index("conv")]
    one, two = (ops.convert_to_numpy(run(index, INPUTS, weights, None)) for index in (0, 1))
    run.finish()
    assert np.abs(one - two).max() > 0.1
    (mean,) = (
        each for each in stack.variables if each.path.endswith("conv.normalization.moving_mean")
    )
    assert ops.convert_to_numpy(mean).any(axis=-1).all()
