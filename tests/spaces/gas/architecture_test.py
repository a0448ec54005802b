import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from keras_fasterseg.layers.gumbel_softmax import gumbel_noise
from keras_fasterseg.spaces.gas.architecture import GasArchitecture
from keras_fasterseg.spaces.gas.settings import GasSettings
from tests.spaces.gas.tiny import SETTINGS


def numpy(choices):
    return {name: ops.convert_to_numpy(each) for name, each in choices.items()}


def test_logits_start_at_one():
    architecture = GasArchitecture(GasSettings(fusion="dense"), seed=0)
    raw = numpy(architecture.raw)
    assert raw["cells"].shape == (14, 5, 8)
    assert raw["fusion"].shape == (12, 9)
    values = np.concatenate([each.ravel() for each in raw.values()])
    assert values.mean() == pytest.approx(1, abs=0.002)
    assert values.std() == pytest.approx(0.01, rel=0.1)


def test_without_guidance_the_logits_are_raw():
    architecture = GasArchitecture(dataclasses.replace(SETTINGS, guidance=0.0), seed=0)
    assert len(architecture.trainable_variables) == 1
    np.testing.assert_array_equal(
        numpy(architecture.logits())["cells"], numpy(architecture.raw)["cells"]
    )
    guided = GasArchitecture(SETTINGS, seed=0)
    np.testing.assert_array_equal(numpy(guided.raw)["cells"], numpy(architecture.raw)["cells"])


@pytest.mark.parametrize("temperature", [1.0, 0.03])
def test_samples_are_concrete(temperature):
    architecture = GasArchitecture(SETTINGS, seed=0)
    state = np.array(architecture.random.state)
    found = numpy(architecture(training=True, temperature=temperature))["cells"]
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)
    architecture.random.state.assign(state)
    noise = ops.convert_to_numpy(
        gumbel_noise(keras.random.uniform(found.shape, seed=architecture.random))
    )
    values = (numpy(architecture.logits())["cells"] + noise) / temperature
    expected = np.exp(values - values.max(axis=-1, keepdims=True))
    expected /= expected.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert (found.max(axis=-1).mean() > 0.9) == (temperature < 1)


def test_gumbel_noise_has_its_mean_and_deviation():
    noise = ops.convert_to_numpy(gumbel_noise(np.linspace(1e-5, 1 - 1e-5, 100_001)))
    assert noise.mean() == pytest.approx(0.5772, abs=0.01)
    assert noise.std() == pytest.approx(np.pi / np.sqrt(6), abs=0.01)


def test_cells_are_sampled_alike_with_and_without_a_fusion_cell():
    plain = GasArchitecture(SETTINGS, seed=3)
    dense = GasArchitecture(dataclasses.replace(SETTINGS, fusion="dense"), seed=3)
    for one, other in zip(plain.guidance.weights, dense.guidance.weights, strict=True):
        other.assign(one)
    np.testing.assert_array_equal(
        *(numpy(each(training=True, temperature=0.5))["cells"] for each in (plain, dense))
    )
