"""TF-TRT without GPU and TensorRT: the pass that cuts the graph asks for neither.

TensorFlow looks at the version of TensorRT and at the device of a tensor before it begins; both are
answered for it here. Whatever would need an engine or a GPU (calibration, build, the engines'
files) is left out.
"""

import types

import pytest

from keras_fasterseg.export import tftrt
from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.export.tftrt_converter import ConvertedSignature
from keras_fasterseg.run.network_export import export_network
from keras_fasterseg.runtimes import tftrt_runner
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.registry import load_preset
from tests.stand_in import MEAN, NUM_CLASSES, STD, segmentation_network

GPU = "/job:localhost/replica:0/task:0/device:GPU:0"


@pytest.fixture
def without_gpu(monkeypatch):
    """Makes conversions work up to the engines; the list that it returns notes what is left out."""
    from tensorflow.python.compiler.tensorrt import trt_convert

    array_ops = types.SimpleNamespace(**vars(trt_convert.array_ops))
    array_ops.zeros = lambda *_: types.SimpleNamespace(device=GPU)
    monkeypatch.setattr(trt_convert, "array_ops", array_ops)
    monkeypatch.setattr(trt_convert, "_check_trt_version_compatibility", lambda: None)
    monkeypatch.setattr(tftrt, "check_tftrt", lambda: None)
    monkeypatch.setattr(tftrt_runner, "check_tftrt", lambda: None)
    left_out = []

    def calibrate(converter, batches):
        left_out.append(("calibrate", [batch["images"] for batch in batches()]))
        converter._calibrated = True

    def build(converter, batches):
        left_out.append(("build", [batch["images"] for batch in batches()]))

    converter = trt_convert.TrtGraphConverterV2
    monkeypatch.setattr(converter, "_execute_calibration", calibrate)
    monkeypatch.setattr(converter, "build", build)
    monkeypatch.setattr(ConvertedSignature, "engines", lambda *_: {})
    return left_out


@pytest.fixture(scope="session")
def model():
    """The stand-in network."""
    return segmentation_network()


@pytest.fixture(scope="session")
def artefact(model, tmp_path_factory):
    """The stand-in network as a SavedModel."""
    path = tmp_path_factory.mktemp("stand_in") / "1"
    return export_saved_model(
        model, path, num_classes=NUM_CLASSES, mean=MEAN, std=STD, metadata={"genotype": "abc"}
    )


@pytest.fixture(scope="session")
def student(tmp_path_factory):
    """The published student, with random weights, as a SavedModel."""
    path = tmp_path_factory.mktemp("student") / "1"
    return export_network(FasterSegNetwork(load_preset("fasterseg_student"), 19), path)
