"""Two devices train as one. Only JAX divides batches, so this runs in its environment."""

import os
import subprocess
import sys

from tests.shared import ROOT

PROGRAM = """
import jax, keras
from keras_fasterseg.run.local_devices import local_devices
from tests.backends.search_test import assert_recorded
from tests.backends.trainings import logs_of, make_trainer

assert len(jax.local_devices()) == 2
for name in ("search toy", "distilled", "accumulated"):
    with local_devices(batch_size=2):
        trainer = make_trainer(name)
        assert len(trainer.trainable_variables[0].value.sharding.device_set) == 2
        assert_recorded(logs_of(name, trainer), name)
with local_devices(batch_size=3):
    assert keras.distribution.distribution() is None
print("as one")
"""

CHOSEN = """
import jax, keras
from keras_fasterseg.run.local_devices import choose_devices, local_devices
from tests.backends.trainings import make_trainer

choose_devices(2)
with local_devices(batch_size=2):
    trainer = make_trainer("search toy")
    assert len(trainer.trainable_variables[0].value.sharding.device_set) == 2
try:
    with local_devices(batch_size=3):
        pass
except ValueError as error:
    print(error)
"""


def test_batches_are_divided_among_devices():
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.endswith("as one\n"), done.stderr
    assert "A batch of 3 images cannot be divided among 2 devices" in done.stderr


def test_a_chosen_number_of_devices():
    done = subprocess.run([sys.executable, "-c", CHOSEN], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == (
        "batch_size=3: a batch of 3 images cannot be divided equally among 2 devices. Choose a "
        "multiple of 2.\n"
    ), done.stderr
