import subprocess
import sys

import pytest
import tensorflow as tf

from keras_fasterseg.available_cores import AvailableCores
from keras_fasterseg.runtimes import tensorflow_device
from tests.shared import ROOT


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


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [(0, "7", 7), (0, "0", 8), (0, "many", 8), (0, "", 8), (5, "7", 5)],
)
def test_threads_are_those_configured_then_of_the_environment_then_of_the_cores(
    monkeypatch, configured, environment, expected
):
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: configured)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", environment)
    monkeypatch.setattr(tensorflow_device, "available_cores", lambda: AvailableCores(8, 4))
    assert tensorflow_device.intra_op_threads() == expected


def test_no_more_threads_than_the_quota_are_asked_for():
    """In a process of its own: here it runs already."""
    program = (
        "import tensorflow as tf\n"
        "from keras_fasterseg.available_cores import AvailableCores\n"
        "from keras_fasterseg.runtimes import tensorflow_device\n"
        "tensorflow_device.available_cores = lambda: AvailableCores(8, 8, 3.5)\n"
        "assert tensorflow_device.intra_op_threads() == 8\n"
        "tensorflow_device.request_threads(None)\n"
        "assert tensorflow_device.intra_op_threads() == 3\n"
        "assert tf.config.threading.get_inter_op_parallelism_threads() == 3\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_a_running_tensorflow_with_more_threads_than_the_quota_is_warned_of(monkeypatch):
    tf.constant(0)
    checked = []
    monkeypatch.setattr(tensorflow_device, "check_threads", checked.append)
    cores = tensorflow_device.available_cores().logical
    limited = AvailableCores(cores, cores, 0.5)
    monkeypatch.setattr(tensorflow_device, "available_cores", lambda: limited)
    monkeypatch.setattr(tensorflow_device, "intra_op_threads", lambda: cores)
    tensorflow_device.request_threads(None)
    assert checked == ([None, cores] if cores > 1 else [None])
