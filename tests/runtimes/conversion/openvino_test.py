import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.runtimes.conversion.openvino import openvino_model
from tests.runtimes.conversion.traced import random_features, traced_convolution

pytest.importorskip("tf2onnx")
openvino = pytest.importorskip("openvino")


def test_equals_tensorflow_and_keeps_the_names():
    function = traced_convolution()
    model = openvino_model(function)
    assert [each.any_name for each in model.inputs] == ["features"]
    assert {each.any_name for each in model.outputs} == {"halved", "sum"}
    # Where the processor has bfloat16, OpenVINO would take it by default.
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", options)
    features = random_features()
    received = compiled({"features": features})
    expected = function(tf.constant(features))
    np.testing.assert_allclose(received["halved"], expected["halved"], atol=1e-5)
    np.testing.assert_allclose(received["sum"], expected["sum"], atol=1e-5)
