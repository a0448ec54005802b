"""Rates of this machine, and how they are made of measured times."""

from keras_fasterseg.available_cores import AvailableCores
from keras_fasterseg.jobs.estimation import speed
from keras_fasterseg.jobs.estimation.speed import MachineSpeed, measure_speed


def test_rates_are_work_over_time_on_every_core(monkeypatch):
    monkeypatch.setattr(speed, "_seconds", lambda function: 0.5)
    monkeypatch.setattr(speed, "_cpu_copy", lambda: lambda: 1)
    monkeypatch.setattr(speed.tensorflow_device, "device_name", lambda: "CPU")
    # Four physical cores, of whose time a quota leaves two and a half.
    cores = AvailableCores(8, 4, 2.5)
    monkeypatch.setattr(speed, "available_cores", lambda: cores)
    assert measure_speed() == MachineSpeed(2 * 32 * 64**3 / 0.5, 2**25 / 0.5, "CPU")


def test_a_gpu_runs_products_and_copies_of_its_own(monkeypatch):
    monkeypatch.setattr(speed, "_seconds", lambda function: function)
    monkeypatch.setattr(speed, "tensorflow_product", lambda side, device: 0.25)
    monkeypatch.setattr(speed, "_gpu_copy", lambda: 0.5)
    monkeypatch.setattr(speed.tensorflow_device, "device_name", lambda: "a GPU")
    monkeypatch.setattr(speed.tensorflow_device, "request_threads", lambda threads: None)
    assert measure_speed() == MachineSpeed(4096**3 / 0.25, 2**27 / 0.5, "a GPU")


def test_a_gpu_starts_tensorflow_with_the_threads_of_the_table(monkeypatch):
    events = []
    monkeypatch.setattr(speed.tensorflow_device, "device_name", lambda: "a GPU")
    monkeypatch.setattr(speed.tensorflow_device, "request_threads", events.append)
    monkeypatch.setattr(speed, "_seconds", lambda function: 0.5)
    monkeypatch.setattr(speed, "tensorflow_product", lambda *_: events.append("product"))
    monkeypatch.setattr(speed, "_gpu_copy", lambda: events.append("copy"))
    measure_speed(threads=3)
    assert events == [3, "product", "copy"]


def test_this_machine_has_a_speed():
    found = measure_speed()
    assert found.macs_per_second > 1e8
    assert found.copied_bytes_per_second > 1e8
