import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.runtimes.conversion.litert import SIGNATURE, litert_model
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
    with pytest.raises(ValueError, match=r"cannot be written for LiteRT.*Betainc"):
        litert_model(function.get_concrete_function(specification))
