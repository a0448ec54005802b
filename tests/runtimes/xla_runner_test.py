import pytest
import tensorflow as tf

from keras_fasterseg.runtimes.xla_runner import XlaRunner
from tests.runtimes import exports
from tests.stand_in import random_images


def test_equals_keras_at_several_sizes():
    runner = XlaRunner(exports.export("saved_model"))
    exports.assert_equals_keras(runner, (1, *exports.SIZE))
    exports.assert_equals_keras(runner, (2, *exports.ODD_SIZE))
    assert runner.input_size is None


def test_is_compiled_and_leaves_the_result_with_tensorflow():
    runner = XlaRunner(exports.export("saved_model"))
    images = random_images(1, *exports.SIZE)
    handle = runner.infer(images)
    assert tf.is_tensor(handle)
    runner.synchronize()
    text = runner._functions["class_ids"].experimental_get_compiler_ir(tf.constant(images))()
    assert "HloModule" in text


def test_describes():
    exports.assert_describes(XlaRunner(exports.export("saved_model")), "xla")


def test_small_images_are_refused():
    with pytest.raises(ValueError, match="at least 32"):
        XlaRunner(exports.export("saved_model"))(random_images(1, 64, 31))


@pytest.mark.parametrize("size", [(64, 96), (96, 40)])
def test_a_size_at_which_xla_resizes_wrongly_is_refused(size):
    with pytest.raises(ValueError, match=f"XLA resizes wrongly if .*{size[0]}x{size[1]}"):
        XlaRunner(exports.export("saved_model"))(random_images(1, *size))
