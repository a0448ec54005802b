"""The decoder's step against NumPy: convolution, interpolation and normalisation by the book."""

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from keras_fasterseg.layers.upsample_fusion import UpsampleFusion
from tests.layers.closed_forms import batch_moments, convolve, normalize, relu
from tests.layers.released_weights import assert_close_to_size
from tests.layers.resize_test import resize_numpy

SIZES = [((2, 3), (4, 6)), ((3, 4), (5, 7)), ((1, 2), (2, 3))]


def built(**kwargs) -> UpsampleFusion:
    layer = UpsampleFusion(6, **kwargs)
    layer.build([(None, None, None, 8), (None, None, None, 4)])
    generator = np.random.default_rng(0)
    for block in (layer.reduction, layer.refinement):
        for variable in block.normalization.variables:
            variable.assign(generator.uniform(0.5, 1.5, size=variable.shape))
    return layer


def feature_maps(coarse_size, fine_size) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [
        generator.normal(size=(2, *size, channels)).astype("float32")
        for size, channels in ((coarse_size, 8), (fine_size, 4))
    ]


def block_numpy(block, images: np.ndarray, training: bool) -> np.ndarray:
    outputs = convolve(images, block.convolution.kernel.numpy())
    gamma, beta, mean, variance = (v.numpy() for v in block.normalization.variables)
    if training:
        mean, variance = batch_moments(outputs)
    return relu(normalize(outputs, mean, variance, gamma, beta))


def fusion_numpy(layer: UpsampleFusion, coarse, fine, training: bool = False) -> np.ndarray:
    reduced = block_numpy(layer.reduction, coarse, training)
    reduced = resize_numpy(reduced, fine.shape[1:3])
    return block_numpy(layer.refinement, np.concatenate([reduced, fine], -1), training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("coarse_size", "fine_size"), SIZES)
def test_equals_the_formula(coarse_size, fine_size, training):
    layer = built()
    inputs = feature_maps(coarse_size, fine_size)
    expected = fusion_numpy(layer, *inputs, training)
    outputs = layer(inputs, training=training)
    np.testing.assert_allclose(outputs, expected, atol=1e-4)
    assert layer.compute_output_shape([x.shape for x in inputs]) == expected.shape


@pytest.mark.parametrize(("coarse_size", "fine_size"), SIZES)
def test_height_and_width_may_be_dynamic(coarse_size, fine_size):
    layer = built()
    images = [keras.Input((None, None, 8)), keras.Input((None, None, 4))]
    model = keras.Model(images, layer(images))
    assert model.output_shape == (None, None, None, 6)
    inputs = feature_maps(coarse_size, fine_size)
    np.testing.assert_allclose(
        model.predict(inputs, verbose=0), fusion_numpy(layer, *inputs), atol=1e-4
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(policy):
    layer = built(dtype=policy)
    inputs = feature_maps((3, 4), (5, 7))
    outputs = layer(inputs)
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    # A handful of roundings to 11 and 8 bits.
    tolerance = {"mixed_float16": 2**-8, "mixed_bfloat16": 2**-5}[policy]
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
    assert_close_to_size(outputs, fusion_numpy(layer, *inputs), tolerance)


def test_model_survives_saving(tmp_path):
    images = [keras.Input((None, None, 8)), keras.Input((None, None, 4))]
    model = keras.Model(images, built()(images))
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    inputs = feature_maps((2, 3), (4, 6))
    np.testing.assert_array_equal(restored(inputs), model(inputs))


class LayerContractTest(TestCase):
    def test_layer(self):
        self.run_layer_test(
            UpsampleFusion,
            init_kwargs={"filters": 6},
            input_shape=[(2, 2, 3, 8), (2, 4, 6, 4)],
            expected_output_shape=(2, 4, 6, 6),
            expected_num_trainable_weights=6,
            expected_num_non_trainable_weights=4,
            # Its data generator cannot describe a list of inputs to tf.data.
            run_training_check=False,
        )
