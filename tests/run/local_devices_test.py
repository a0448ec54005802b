import keras
import pytest

from keras_fasterseg import replicas, workers
from keras_fasterseg.run import local_devices
from keras_fasterseg.run.optimizers import check_optimizer
from keras_fasterseg.settings.training import TrainSettings


def test_a_batch_that_cannot_be_divided(monkeypatch):
    monkeypatch.setattr(local_devices, "_chosen", 2)
    with (
        pytest.raises(ValueError, match=r"batch of 3 images cannot be divided .* a multiple of 2"),
        local_devices.local_devices(3),
    ):
        pass


def test_one_device_divides_nothing():
    local_devices.choose_devices(1)
    try:
        with local_devices.local_devices(3), replicas.together():
            assert replicas.count() == 1
    finally:
        local_devices.choose_devices(local_devices.AUTO)


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (2, "Only TensorFlow and JAX train with several devices; set KERAS_BACKEND"),
        ("workers", "Only TensorFlow trains with several workers; set KERAS_BACKEND=tensorflow"),
    ],
)
def test_a_backend_without_several(monkeypatch, devices, message):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    monkeypatch.setattr(workers, "tf", None)
    with pytest.raises(ValueError, match=message):
        local_devices.choose_devices(devices)


def test_devices_are_chosen_once(monkeypatch):
    monkeypatch.setattr(workers, "tf", object())
    monkeypatch.setattr(replicas, "number", lambda: 2)
    workers.use_devices(1)
    with pytest.raises(ValueError, match="already trains on 2 devices"):
        workers.use_devices(3)


def test_float16_needs_one_device(monkeypatch):
    monkeypatch.setattr(replicas, "number", lambda: 2)
    check_optimizer(TrainSettings(precision="mixed_bfloat16"))
    with pytest.raises(ValueError, match="precision=mixed_float16; use mixed_bfloat16"):
        check_optimizer(TrainSettings(precision="mixed_float16"))
