"""The switch between TensorFlow on a CPU and everything else."""

import keras
import pytest
import tensorflow as tf

from keras_fasterseg.tensorflow_cpu import compiled, computes_on_tensorflow_cpu


@pytest.mark.parametrize(
    ("backend", "gpus", "expected"),
    [("tensorflow", [], True), ("tensorflow", ["GPU:0"], False), ("jax", [], False)],
)
def test_only_tensorflow_without_a_gpu_computes_on_its_cpu(backend, gpus, expected, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: gpus)
    assert computes_on_tensorflow_cpu() == expected


def test_xla_compiles_a_function_once():
    def double(value):
        return 2 * value

    assert compiled(double) is compiled(double)
    assert "HloModule" in compiled(double).experimental_get_compiler_ir(tf.ones(3))(stage="hlo")
    assert compiled(double)(tf.constant(3.0)) == 6


def test_another_backend_takes_the_function_itself(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    assert compiled(min) is min
