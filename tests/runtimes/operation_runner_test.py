import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operation_meter import MeasurementSchedule, OperationMeter
from keras_fasterseg.runtimes import operation_runner
from keras_fasterseg.runtimes.operation_graphs import copies_graph
from keras_fasterseg.runtimes.operation_runner import OPERATION_RUNTIMES, RuntimeOperationRunner
from tests.shared import ROOT

CONV = OpKey("conv", 16, 32, 8, 16, 1)
SERVING = OpKey("serving", 32, 64, 3, 5, 1)


@pytest.mark.parametrize("runtime", [each for each in OPERATION_RUNTIMES if each != "keras"])
def test_every_runtime_measures(runtime):
    meter = OperationMeter(
        RuntimeOperationRunner(runtime),
        MeasurementSchedule(warmup=1, min_repetitions=3, max_repetitions=3, max_copies=3),
    )
    rows = meter([CONV, SERVING])
    assert rows[SERVING].latency_ms > 0
    assert {row.repetitions for row in rows.values()} == {3}


@pytest.mark.parametrize("runtime", ["saved_model", "openvino"])
def test_what_is_timed_is_the_graph(runtime):
    """The result of the timed call equals TensorFlow's, up to float32 sums in another order."""
    graph = copies_graph(CONV, 2)
    inputs = {name: tf.constant(values) for name, values in graph.random_inputs().items()}
    (expected,) = graph.function(**inputs).values()
    result = OPERATION_RUNTIMES[runtime](graph, threads=None)()
    if runtime == "openvino":
        result = next(iter(result.values()))
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


def test_graphs_without_operations_are_made_once(monkeypatch):
    made = []
    compile_graph = lambda graph, threads: made.append(graph) or graph  # noqa: E731
    monkeypatch.setitem(operation_runner.OPERATION_RUNTIMES, "saved_model", compile_graph)
    runner = RuntimeOperationRunner("saved_model")
    other = OpKey("conv_2x", 16, 32, 8, 24, 2)
    assert runner.empty(CONV, 2) is runner.empty(other, 2)
    assert runner.empty(CONV, 3) is not runner.empty(CONV, 2)
    assert len(made) == 2


def test_an_unknown_runtime():
    with pytest.raises(ValueError, match=r"saved_model, onnxruntime.*Received: 'tensorflow'"):
        RuntimeOperationRunner("tensorflow")


def test_tensorflow_takes_the_threads_before_it_starts():
    """In a process of its own: here it runs already."""
    program = (
        "from keras_fasterseg.latency.op_key import OpKey\n"
        "from keras_fasterseg.runtimes import operation_runner, tensorflow_device\n"
        "runner = operation_runner.RuntimeOperationRunner('saved_model', threads=1)\n"
        "runner.copies(OpKey('conv_bn_relu_3x3', 8, 8, 8, 8, 1), 1)()\n"
        "assert tensorflow_device.intra_op_threads() == 1\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
