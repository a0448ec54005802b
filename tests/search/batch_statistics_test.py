import keras
import numpy as np
import pytest

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.search.batch_statistics import (
    estimate_statistics,
    estimated_statistics,
    statistics_of,
)

CHANNELS = 4


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3))
    features = ConvBatchNorm(CHANNELS, 3)(images)
    return keras.Model(images, ConvBatchNorm(CHANNELS, 1)(features))


def batches(count=3):
    generator = np.random.default_rng(0)
    # Batches of different means: their spread is part of the variance.
    return [(generator.normal(index, 1 + index, (2, 8, 8, 3)), None) for index in range(count)]


def run_of(model):
    return lambda images, labels: model(images, training=True)


def with_labels(items):
    return [(images.astype("float32"), np.zeros(1)) for images, _ in items]


def test_statistics_are_those_of_all_batches_together(model):
    data = with_labels(batches())
    convolution = model.layers[1].convolution
    values = np.stack([np.asarray(convolution(images)).reshape(-1, CHANNELS) for images, _ in data])
    mean, variance = statistics_of(model)[:2]
    with estimated_statistics(model, data, run_of(model)):
        # float32 sums of 128 pixels.
        np.testing.assert_allclose(mean, values.mean(axis=(0, 1)), rtol=1e-5, atol=1e-5)
        # Within batches unbiased, as running variances are.
        expected = values.var(axis=1, ddof=1).mean(axis=0) + values.mean(axis=1).var(axis=0)
        np.testing.assert_allclose(variance, expected, rtol=1e-5)


def test_later_layers_see_batch_statistics(model):
    (data,) = with_labels(batches(1))
    first, second = (model.layers[index] for index in (1, 2))
    features = first(data[0], training=True)
    expected = np.asarray(second.convolution(features)).mean(axis=(0, 1, 2))
    with estimated_statistics(model, [data], run_of(model)):
        np.testing.assert_allclose(second.normalization.moving_mean, expected, atol=1e-5)


def test_statistics_are_restored_even_after_an_error(model):
    for variable in statistics_of(model):
        variable.assign(np.full(variable.shape, 0.5))
    with (
        pytest.raises(KeyError),
        estimated_statistics(model, with_labels(batches()), run_of(model)),
    ):
        raise KeyError
    for variable in statistics_of(model):
        np.testing.assert_array_equal(variable, np.full(variable.shape, 0.5, "float32"))


def test_without_batches_nothing_changes(model):
    mean = statistics_of(model)[0]
    with estimated_statistics(model, [], run_of(model)):
        np.testing.assert_array_equal(mean, np.zeros(CHANNELS))
    with pytest.raises(ValueError, match="without batches"):
        estimate_statistics(statistics_of(model), [], [])


def test_rows_that_no_batch_uses_keep_their_values():
    mean, variance = (keras.Variable(np.full((2, 3), value, "float32")) for value in (7.0, 9.0))
    row = np.array([[0, 0, 0], [1, 0, 3]], "float32")
    estimate_statistics([mean, variance], [[row, 2 * row], [3 * row, 2 * row]], [4, 4])
    np.testing.assert_array_equal(mean, [[7, 7, 7], [2, 0, 6]])
    # Means of 1 and 3, and of 3 and 9: variances 1 and 9.
    np.testing.assert_array_equal(variance, [[9, 9, 9], [3, 0, 15]])


def test_batches_count_by_their_images():
    mean, variance = (keras.Variable(np.zeros((1, 1), "float32")) for _ in range(2))
    estimate_statistics([mean, variance], [[[[1.0]], [[2.0]]], [[[5.0]], [[6.0]]]], [3, 1])
    # Means 1, 1, 1 and 5; their variance is 3. Variances 2, 2, 2 and 6; their mean is 3.
    assert (float(mean[0, 0]), float(variance[0, 0])) == (2.0, 6.0)
