import pytest
import tensorflow as tf

from keras_fasterseg.runtimes import tensorflow_device


def test_no_request_and_the_present_number_change_nothing():
    tf.constant(0)
    threads = tensorflow_device.intra_op_threads()
    tensorflow_device.request_threads(None)
    tensorflow_device.request_threads(threads)
    assert tensorflow_device.intra_op_threads() == threads


def test_threads_cannot_change_once_tensorflow_runs():
    tf.constant(0)
    threads = tensorflow_device.intra_op_threads()
    with pytest.raises(ValueError, match=f"TF_NUM_INTRAOP_THREADS={threads + 1}"):
        tensorflow_device.request_threads(threads + 1)


def test_no_thread_at_all_is_refused():
    with pytest.raises(ValueError, match="threads=0"):
        tensorflow_device.request_threads(0)


def test_the_environment_states_the_threads(monkeypatch):
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 0)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    assert tensorflow_device.intra_op_threads() == 7


def test_synchronize_returns():
    tensorflow_device.synchronize()
