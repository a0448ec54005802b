"""The float32 copy that is evaluated, of a network of three cells."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.training.evaluated_network import EvaluatedNetwork
from keras_fasterseg.training.l2_sgd import L2SGD
from tests.small_genotype import GENOTYPE

MOMENTUM = 0.8


def make(dtype="float32", **options):
    keras.utils.set_random_seed(0)
    network = FasterSegNetwork(GENOTYPE, 3, auxiliary_heads=True, dtype=dtype)
    optimizer = L2SGD(0.1, **options)
    if dtype == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_variables)
    return network, optimizer


def step(network, optimizer, seed):
    """A step along random gradients, and other running statistics."""
    generator = np.random.default_rng(seed)
    gradients = [
        generator.normal(size=variable.shape).astype("float32")
        for variable in network.trainable_variables
    ]
    gradients = [ops.convert_to_tensor(each) for each in gradients]
    optimizer.apply([optimizer.scale_loss(each) for each in gradients])
    for variable in network.non_trainable_variables:
        if "moving" in variable.path:
            variable.assign(generator.uniform(0.5, 2, variable.shape))


def images():
    return np.random.default_rng(9).normal(size=(1, 64, 64, 3)).astype("float32")


def outputs(network):
    return {name: ops.convert_to_numpy(each) for name, each in network(images()).items()}


def values(network):
    return [ops.convert_to_numpy(weight).copy() for weight in network.weights]


def test_without_averages_it_is_the_network_of_the_last_update():
    network, optimizer = make()
    evaluated = EvaluatedNetwork(network, optimizer)
    before = values(evaluated.network)
    step(network, optimizer, 1)
    for copy, value in zip(values(evaluated.network), before, strict=True):
        np.testing.assert_array_equal(copy, value)
    evaluated.update()
    expected = outputs(network)
    for name, logits in outputs(evaluated.network).items():
        np.testing.assert_array_equal(logits, expected[name])


# On JAX, Keras's LossScaleOptimizer works in compiled steps only.
SCALED = pytest.param("mixed_float16", marks=pytest.mark.backends("tensorflow", "torch"))


@pytest.mark.parametrize("dtype", ["float32", SCALED])
def test_with_averages_it_has_them_and_the_statistics_of_training(dtype):
    network, optimizer = make(dtype, use_ema=True, ema_momentum=MOMENTUM)
    evaluated = EvaluatedNetwork(network, optimizer)
    history = []
    for seed in range(3):
        step(network, optimizer, seed)
        history.append(
            {weight.path: ops.convert_to_numpy(weight).copy() for weight in network.weights}
        )
    evaluated.update()
    trainable = {weight.path for weight in network.trainable_variables}
    for copy in evaluated.network.weights:
        first, second, last = (weights[copy.path] for weights in history)
        expected = last
        if copy.path in trainable:
            expected = MOMENTUM * (MOMENTUM * first + (1 - MOMENTUM) * second)
            expected += (1 - MOMENTUM) * last
        np.testing.assert_allclose(ops.convert_to_numpy(copy), expected, rtol=1e-5, atol=1e-6)
    # Training itself goes on with its own weights.
    for weight in network.weights:
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), history[-1][weight.path])


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_it_computes_and_is_saved_in_float32(dtype, tmp_path):
    network, optimizer = make(dtype)
    evaluated = EvaluatedNetwork(network, optimizer)
    exact = FasterSegNetwork(GENOTYPE, 3, auxiliary_heads=True)
    exact.set_weights(network.get_weights())
    expected = outputs(exact)["scale_8"]
    np.testing.assert_array_equal(outputs(evaluated.network)["scale_8"], expected)
    assert np.any(outputs(network)["scale_8"] != expected)
    path = tmp_path / "network.keras"
    evaluated.network.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded.get_layer("stem").compute_dtype == "float32"
    np.testing.assert_array_equal(outputs(loaded)["scale_8"], expected)
