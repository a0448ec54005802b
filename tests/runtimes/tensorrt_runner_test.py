import sys

import pytest

from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.tensorrt_runner import TensorRtRunner


def test_a_machine_without_tensorrt_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(RuntimeNotInstalledError, match="needs NVIDIA's tensorrt and cuda-python"):
        TensorRtRunner(tmp_path / "model.plan")
