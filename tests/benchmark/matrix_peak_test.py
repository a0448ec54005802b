import numpy as np
import psutil
import tensorflow as tf

from keras_fasterseg.benchmark import matrix_peak, timing
from keras_fasterseg.benchmark.matrix_peak import (
    MatrixPeak,
    best_peak,
    matrix_products,
    measure_matrix_peak,
    prepare_threads,
)
from keras_fasterseg.runtimes import tensorflow_device
from tests.benchmark.fake_clock import FakeClock


def test_the_peak_is_the_best_rate_of_all_libraries_and_sizes(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(timing, "time", clock)
    seconds = {("slow", 10): 1.0, ("slow", 20): 1.0, ("fast", 10): 0.5, ("fast", 20): 2.0}

    def product(library, size):
        return lambda: clock.sleep(seconds[library, size])

    products = {name: lambda size, name=name: product(name, size) for name in ("slow", "fast")}
    monkeypatch.setattr(matrix_peak, "matrix_products", lambda device, threads: products)
    # 10**3 in 1 s or .5 s, 20**3 in 1 s or 2 s.
    assert measure_matrix_peak(sizes=(10, 20)) == MatrixPeak(8000.0, "slow", 20, "CPU")
    assert measure_matrix_peak(sizes=(10,)) == MatrixPeak(2000.0, "fast", 10, "CPU")


def test_the_best_of_several_measurements():
    peaks = [MatrixPeak(rate, "numpy", 8, "CPU") for rate in (1.0, 3.0, 2.0)]
    assert best_peak(peaks[0], None, *peaks[1:]) == peaks[1]
    assert best_peak(None) is None


def test_products_multiply(monkeypatch):
    left, right = np.random.default_rng(0).random((2, 8, 8), np.float32)
    results = []
    matmul, tensorflow_matmul = np.matmul, tf.linalg.matmul
    monkeypatch.setattr(
        np, "matmul", lambda a, b, out: results.append(matmul(a, b, out=out)) or out
    )
    monkeypatch.setattr(
        tf.linalg, "matmul", lambda a, b: results.append(tensorflow_matmul(a, b).numpy())
    )
    threads = tensorflow_device.intra_op_threads()
    for make in matrix_products("CPU", threads).values():
        make(8)()
    assert results
    for result in results:
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, left.astype(float) @ right, rtol=1e-5)


def test_a_library_with_another_number_of_threads_is_left_out(monkeypatch):
    def refused(threads):
        raise ValueError(f"threads={threads}")

    assert set(matrix_products("CPU", None)) == {"numpy", "tensorflow"}
    monkeypatch.setattr(tensorflow_device, "request_threads", refused)
    other = psutil.cpu_count() + 1
    assert matrix_products("CPU", other) == {}
    assert not prepare_threads(other)
    assert measure_matrix_peak(threads=other) is None


def test_a_gpu_that_is_not_there_is_not_replaced_by_the_processor(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert measure_matrix_peak("GPU") is None


def test_a_real_peak_is_above_what_plain_python_does():
    peak = measure_matrix_peak(sizes=(64,), min_seconds=0.0)
    assert peak.macs_per_second > 0
    assert peak.size == 64
    assert peak.library in ("numpy", "tensorflow")
