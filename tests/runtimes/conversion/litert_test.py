import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.runtimes.conversion.litert import (
    SIGNATURE,
    float_operators,
    integer_litert_model,
    litert_model,
)
from tests.runtimes.conversion.traced import random_features, traced_convolution


def test_equals_tensorflow_and_keeps_the_names():
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    function = traced_convolution()
    interpreter = litert.Interpreter(model_content=litert_model(function))
    assert interpreter.get_signature_list() == {
        SIGNATURE: {"inputs": ["features"], "outputs": ["halved", "sum"]}
    }
    features = random_features()
    received = interpreter.get_signature_runner(SIGNATURE)(features=features)
    expected = function(tf.constant(features))
    np.testing.assert_allclose(received["halved"], expected["halved"], atol=1e-5)
    np.testing.assert_allclose(received["sum"], expected["sum"], atol=1e-5)


def test_an_operation_that_litert_has_not_is_refused():
    specification = tf.TensorSpec((4,), tf.float32, name="features")
    function = tf.function(lambda features: {"y": tf.math.betainc(features, features, features)})
    with pytest.raises(ValueError, match=r"cannot be converted to LiteRT.*Betainc"):
        litert_model(function.get_concrete_function(specification))


def images_function(make, size=(8, 16)):
    specification = tf.TensorSpec((1, *size, 3), tf.float32, name="images")
    function = tf.function(lambda images: {"y": make(images)}, autograph=False)
    return function.get_concrete_function(specification)


def brightest(images):
    """The channel that is largest after a mean of 3x3, of images resized with aligned corners."""
    smoothed = tf.nn.depthwise_conv2d(
        (images - 120.0) * 0.01, tf.fill((3, 3, 3, 1), 1 / 9), (1, 1, 1, 1), "SAME"
    )
    resized = tf.raw_ops.ResizeBilinear(images=smoothed, size=(15, 31), align_corners=True)
    return tf.cast(tf.argmax(resized, axis=-1, output_type=tf.int32), tf.uint8)


def test_integers_alone_give_the_same_classes():
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    function = images_function(brightest)
    images = [
        np.random.default_rng(seed).integers(30, 200, (1, 8, 16, 3), np.uint8) for seed in range(5)
    ]
    model = integer_litert_model(function, images)
    assert float_operators(model) == ()
    runner = interpreter.Interpreter(model_content=model)
    (details,) = runner.get_input_details()
    # Bytes as they are, though no image has the whole range.
    assert (details["dtype"], details["quantization"]) == (np.uint8, (1.0, 0))
    received = runner.get_signature_runner(SIGNATURE)(images=images[0])["y"]
    assert received.dtype == np.uint8
    values = images[0][0].astype(float)
    padded = np.pad(values - 120, ((1, 1), (1, 1), (0, 0)))
    means = sum(padded[i : i + 8, j : j + 16] for i in range(3) for j in range(3)) / 9
    # Every other of the 15x31 samples is one of the 8x16.
    second, best = np.moveaxis(np.sort(means, axis=-1)[..., -2:], -1, 0)
    # 256 steps hold the range of all means; two roundings each of the input, the product and this.
    clear = best - second > 6 * np.ptp(means) / 256
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(received[0, ::2, ::2][clear], means.argmax(axis=-1)[clear])


def test_what_has_no_integers_is_refused_and_seen():
    images = [np.full((1, 8, 16, 3), 99, np.uint8)]
    with pytest.raises(ValueError, match=r"cannot be converted to LiteRT|LiteRT cannot compute"):
        integer_litert_model(
            images_function(lambda x: tf.cast(tf.math.atan2(x, x + 1.0), tf.uint8)), images
        )
    floats = litert_model(images_function(brightest))
    assert set(float_operators(floats)) >= {"ARG_MAX", "RESIZE_BILINEAR", "SUB"}
