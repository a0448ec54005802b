import logging

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.layers.resize import resize_bilinear
from keras_fasterseg.runtimes.conversion.onnx import onnx_model
from keras_fasterseg.runtimes.onnxruntime_pool import session_options
from tests.runtimes.conversion.traced import random_features, traced_convolution

pytest.importorskip("tf2onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("simplify", [False, True])
def test_equals_tensorflow_and_keeps_the_names(simplify):
    function = traced_convolution()
    model = onnx_model(function, simplify=simplify)
    assert [each.name for each in model.graph.input] == ["features"]
    assert {each.name for each in model.graph.output} == {"halved", "sum"}
    assert model.opset_import[0].version == 17
    options, _ = session_options(None)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    features = random_features()
    received = session.run(["halved", "sum"], {"features": features})
    expected = function(tf.constant(features))
    np.testing.assert_allclose(received[0], expected["halved"], atol=1e-5)
    np.testing.assert_allclose(received[1], expected["sum"], atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new"), [(7, 15), (15, 7), (8, 64), (11, 22), (22, 11), (29, 59), (59, 29), (13, 97)]
)
def test_every_resize_arrives_at_its_size(old, new):
    specification = tf.TensorSpec((1, old, old + 1, 3), tf.float32, name="features")

    @tf.function
    def resize(features):
        return {"resized": resize_bilinear(features, (new, new + 3))}

    model = onnx_model(resize.get_concrete_function(specification))
    options, _ = session_options(None)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    features = np.random.default_rng(0).random((1, old, old + 1, 3), np.float32)
    (received,) = session.run(["resized"], {"features": features})
    assert received.shape == (1, new, new + 3, 3)
    # Positions between pixels are float32 products in another order.
    np.testing.assert_allclose(received, resize(features)["resized"], atol=1e-5)


@pytest.mark.parametrize("kernel_size", [(3, 1), (1, 3), (3, 2)])
@pytest.mark.parametrize("dilations", [(4, 2), (1, 16)])
def test_dilated_convolutions_accept_open_sizes(kernel_size, dilations):
    generator = np.random.default_rng(0)
    kernel = generator.normal(size=(*kernel_size, 3, 4)).astype("float32")

    @tf.function
    def convolve(features):
        outputs = tf.nn.conv2d(features, kernel, 1, "SAME", dilations=dilations)
        return {"convolved": outputs}

    specification = tf.TensorSpec((None, None, None, 3), tf.float32, name="features")
    model = onnx_model(convolve.get_concrete_function(specification))
    options, _ = session_options(None)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for size in ((12, 9), (5, 20)):
        features = generator.normal(size=(2, *size, 3)).astype("float32")
        (received,) = session.run(["convolved"], {"features": features})
        # Sums of at most 18 products in float32.
        np.testing.assert_allclose(received, convolve(features)["convolved"], atol=1e-5)


def test_is_silent(caplog, capfd):
    caplog.set_level(logging.INFO)
    onnx_model(traced_convolution())
    assert not [record for record in caplog.records if record.name.startswith("tf2onnx")]
    assert "tf2onnx" not in "".join(capfd.readouterr())


def test_an_operation_that_onnx_has_not_is_refused():
    specification = tf.TensorSpec((4,), tf.float32, name="features")
    function = tf.function(lambda features: {"y": tf.math.betainc(features, features, features)})
    with pytest.raises(ValueError, match=r"cannot be converted to ONNX with opset 17.*Betainc"):
        onnx_model(function.get_concrete_function(specification))


def test_outputs_without_names_are_refused():
    specification = tf.TensorSpec((4,), tf.float32, name="features")
    function = tf.function(lambda features: features + 1.0)
    with pytest.raises(ValueError, match="return a dictionary of tensors"):
        onnx_model(function.get_concrete_function(specification))
