import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from keras_fasterseg.spaces.joint.downsampler import Downsampler
from tests.spaces.joint import closed_forms


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [(2, 2), (6, 10)])
def test_equals_the_formula(size, training):
    images = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    layer = Downsampler(8)
    layer.build(images.shape)
    closed_forms.randomize_normalizations(layer)
    expected = closed_forms.downsampler(layer, images, training)
    # Sums of 27 products in float32.
    np.testing.assert_allclose(layer(images, training=training), expected, atol=1e-5)
    assert layer.compute_output_shape(images.shape) == expected.shape


def test_height_and_width_may_be_dynamic():
    layer, image = Downsampler(8), keras.Input((None, None, 3))
    model = keras.Model(image, layer(image))
    assert model.output_shape == (None, None, None, 8)
    images = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype("float32")
    expected = closed_forms.downsampler(layer, images)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)


def test_must_add_channels():
    with pytest.raises(ValueError, match="filters=8, channels=8"):
        Downsampler(8).build((None, 4, 4, 8))


class LayerContractTest(TestCase):
    def test_layer(self):
        self.run_layer_test(
            Downsampler,
            init_kwargs={"filters": 8},
            input_shape=(2, 4, 6, 3),
            expected_output_shape=(2, 2, 3, 8),
            expected_num_trainable_weights=3,
            expected_num_non_trainable_weights=2,
        )
