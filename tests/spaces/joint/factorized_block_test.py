import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from keras_fasterseg.spaces.joint.factorized_block import FactorizedBlock
from tests.spaces.joint import closed_forms


def built(filters=6, **kwargs):
    layer = FactorizedBlock(filters, 4, **kwargs)
    layer.build((None, None, None, 6))
    closed_forms.randomize_normalizations(layer)
    return layer


def random_images(height=8, width=12):
    return np.random.default_rng(0).normal(size=(2, height, width, 6)).astype("float32")


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("filters", [4, 6, 9])
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("dilation", [1, 2, 16])
def test_equals_the_formula(filters, pooled, dilation, training):
    layer, images = built(filters, pooled=pooled, dilation=dilation), random_images()
    expected = closed_forms.block(layer, images, training)
    # Sums of at most 18 products in float32, normalised.
    np.testing.assert_allclose(layer(images, training=training), expected, atol=3e-5)


@pytest.mark.parametrize("pooled", [False, True])
def test_height_and_width_may_be_dynamic(pooled):
    layer, image = built(9, pooled=pooled, dilation=2), keras.Input((None, None, 6))
    model = keras.Model(image, layer(image))
    assert model.output_shape == (None, None, None, 9)
    for size in ((8, 12), (2, 4)):
        images = random_images(*size)
        expected = closed_forms.block(layer, images)
        np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=3e-5)


def test_dropout_scales_kept_values_only_in_training():
    layer, zeros = built(dropout=0.25), np.zeros((4, 16, 16, 6), "float32")
    layer.horizontal.kernel.assign(np.zeros_like(layer.horizontal.kernel))
    for name, value in (("gamma", 1.0), ("beta", 3.0), ("moving_mean", 0.0)):
        weight = getattr(layer.horizontal_normalization, name)
        weight.assign(np.full(weight.shape, value))
    np.testing.assert_array_equal(layer(zeros, training=False), np.full(zeros.shape, 3.0))
    values = np.array(layer(zeros, training=True))
    kept = values != 0
    # 3 / .75 = 4, up to a rounding.
    np.testing.assert_allclose(values[kept], 4.0, rtol=1e-6)
    # 6144 values: five standard deviations of the share are .028.
    assert abs(kept.mean() - 0.75) < 0.028


def test_dropout_resumes_after_loading(tmp_path):
    image = keras.Input((8, 12, 6))
    models = [keras.Model(image, built(dropout=0.5, name="block")(image)) for _ in range(2)]
    models[0](random_images(), training=True)
    models[0].save_weights(tmp_path / "a.weights.h5")
    models[1].load_weights(tmp_path / "a.weights.h5")
    first, second = (np.array(model(random_images(), training=True)) for model in models)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(models[0](random_images(), training=True), first)


class LayerContractTest(TestCase):
    def test_plain(self):
        self.run_layer_test(
            FactorizedBlock,
            init_kwargs={"filters": 8, "middle": 5, "dilation": 2},
            input_shape=(2, 4, 6, 8),
            expected_output_shape=(2, 4, 6, 8),
            expected_num_trainable_weights=6,
            expected_num_non_trainable_weights=4,
            expected_num_seed_generators=1,
        )

    def test_pooled(self):
        self.run_layer_test(
            FactorizedBlock,
            init_kwargs={"filters": 5, "middle": 3, "pooled": True, "dropout": 0.3},
            input_shape=(2, 4, 6, 8),
            expected_output_shape=(2, 4, 6, 5),
            expected_num_trainable_weights=6,
            expected_num_non_trainable_weights=4,
            expected_num_seed_generators=1,
        )
