import sys

import numpy as np
import pytest

from keras_fasterseg.runtimes import installed_version, litert_runner
from keras_fasterseg.runtimes.litert_runner import LiteRtRunner
from tests.runtimes import exports
from tests.stand_in import random_images


@pytest.mark.parametrize(("size", "batch_size"), [(exports.SIZE, 1), (exports.ODD_SIZE, 2)])
def test_equals_keras(size, batch_size):
    runner = LiteRtRunner(exports.export("litert", "both", size, batch_size))
    exports.assert_equals_keras(runner, (batch_size, *size))
    exports.assert_results_are_their_own(runner, (batch_size, *size))


def test_equals_keras_in_the_interpreter_of_tensorflow(monkeypatch):
    for module in (litert_runner, installed_version):
        monkeypatch.setattr(module, "runtime_module", lambda runtime: "tensorflow")
    runner = LiteRtRunner(exports.export("litert"))
    exports.assert_equals_keras(runner, (1, *exports.SIZE))
    assert runner.describe()["version"].startswith("tensorflow ")


def test_infer_copies_nothing_back():
    runner = LiteRtRunner(exports.export("litert"))
    images = random_images(1, *exports.SIZE)
    handle = runner.infer(images)
    assert sys.getsizeof(handle) < 100
    np.testing.assert_array_equal(runner.fetch(handle), runner(images))


def test_describes():
    exports.assert_describes(LiteRtRunner(exports.export("litert")), "litert")
    assert LiteRtRunner(exports.export("litert"), threads=2).describe()["threads"] == 2


def test_refuses_what_it_cannot_do(tmp_path):
    exports.assert_refuses_what_it_cannot_do(LiteRtRunner, "litert")
    exports.assert_refuses_damaged_files(LiteRtRunner, "litert", "model.tflite", tmp_path)
