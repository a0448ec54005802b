import sys
import types

import pytest

from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.tensorrt_module import reason, recording_logger, tensorrt_module
from tests.runtimes.fake_tensorrt import FakeEngine, FakeTensorRt, ILogger


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt_rtx"])
def test_a_flavour_is_a_module(flavour, monkeypatch):
    fake = FakeTensorRt(FakeEngine(None))
    monkeypatch.setitem(sys.modules, flavour, fake)
    assert tensorrt_module(flavour, "This") is fake
    # The wheel on PyPI that has no libraries.
    monkeypatch.setitem(sys.modules, flavour, types.ModuleType(flavour))
    with pytest.raises(RuntimeNotInstalledError, match=r"^This needs .*pip install"):
        tensorrt_module(flavour, "This")


def test_another_flavour_is_refused():
    with pytest.raises(ValueError, match=r"tensorrt, tensorrt_rtx\. Received: flavour='trt'"):
        tensorrt_module("trt", "This")


def test_a_logger_keeps_what_went_wrong():
    logger = recording_logger(FakeTensorRt(FakeEngine(None)))
    for severity, message in (
        (ILogger.INFO, "begun"),
        (ILogger.WARNING, "slow"),
        (ILogger.ERROR, "no kernel\n  for it."),
        (ILogger.INTERNAL_ERROR, "a consequence"),
    ):
        logger.log(severity, message)
    assert logger.errors == ["no kernel\n  for it.", "a consequence"]
    assert reason(logger.errors, "unknown") == "no kernel for it"
    assert reason([], "unknown") == "unknown"
