import keras
import pytest

from keras_fasterseg import workers
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
        with local_devices.local_devices(3), workers.together():
            assert workers.count() == 1
    finally:
        local_devices.choose_devices(local_devices.AUTO)


@pytest.mark.parametrize(("devices", "what"), [(2, "devices"), ("workers", "workers")])
def test_a_backend_without_several(monkeypatch, devices, what):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ValueError, match=f"Only TensorFlow trains with several {what}"):
        local_devices.choose_devices(devices)


def test_float16_needs_one_device(monkeypatch):
    monkeypatch.setattr(workers, "replicas", lambda: 2)
    check_optimizer(TrainSettings(precision="mixed_bfloat16"))
    with pytest.raises(ValueError, match="precision=mixed_float16; use mixed_bfloat16"):
        check_optimizer(TrainSettings(precision="mixed_float16"))
