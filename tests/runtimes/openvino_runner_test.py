import numpy as np
import pytest

from keras_fasterseg.available_cores import AvailableCores
from keras_fasterseg.runtimes import openvino_runner
from keras_fasterseg.runtimes.artefact_format import find_artefact
from keras_fasterseg.runtimes.openvino_runner import OpenVinoRunner
from tests.runtimes import exports
from tests.stand_in import random_images

openvino = pytest.importorskip("openvino")


@pytest.mark.parametrize("format", ["openvino", "onnx"])
@pytest.mark.parametrize(("size", "batch_size"), [(exports.SIZE, 1), (exports.ODD_SIZE, 2)])
def test_equals_keras(format, size, batch_size):
    runner = OpenVinoRunner(exports.export(format, "both", size, batch_size))
    exports.assert_equals_keras(runner, (batch_size, *size))
    exports.assert_results_are_their_own(runner, (batch_size, *size))


def test_infer_leaves_the_result_in_the_runtime():
    runner = OpenVinoRunner(exports.export("openvino"))
    images = random_images(1, *exports.SIZE)
    handle = runner.infer(images)
    assert isinstance(handle, openvino.Tensor)
    np.testing.assert_array_equal(runner.fetch(handle), runner(images))


def test_describes():
    exports.assert_describes(OpenVinoRunner(exports.export("openvino")), "openvino")
    assert OpenVinoRunner(exports.export("openvino"), threads=1).describe()["threads"] == 1


@pytest.mark.parametrize(
    ("cores", "threads", "expected"),
    [
        (AvailableCores(8, 4), None, None),
        (AvailableCores(8, 4, 2.5), None, 2),
        (AvailableCores(2, 1), None, 1),
        (AvailableCores(8, 4, 2.5), 3, 3),
    ],
)
def test_openvino_chooses_its_threads_unless_it_may_not_use_all(
    monkeypatch, cores, threads, expected
):
    monkeypatch.setattr(openvino_runner, "available_cores", lambda: cores)
    monkeypatch.setattr(openvino_runner.psutil, "cpu_count", lambda logical: 4)
    options = openvino_runner.openvino_options(threads)
    assert options.get("INFERENCE_NUM_THREADS") == expected
    assert options["INFERENCE_PRECISION_HINT"] == "f32"


def test_the_weights_belong_to_the_artefact(tmp_path):
    folder = exports.export("openvino")
    facts = OpenVinoRunner(folder).describe()
    for name in ("model.xml", "model.bin"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert OpenVinoRunner(tmp_path).describe()["artefact_sha256"] == facts["artefact_sha256"]
    (tmp_path / "model.bin").write_bytes(b"other weights")
    assert find_artefact(tmp_path).digest() != facts["artefact_sha256"]


def test_refuses_what_it_cannot_do(tmp_path):
    exports.assert_refuses_what_it_cannot_do(OpenVinoRunner, "openvino")
    damaged = tmp_path / "model.xml"
    damaged.write_bytes(b"not what was written")
    with pytest.raises(ValueError, match="cannot be loaded; export it again"):
        OpenVinoRunner(damaged).load()
    with pytest.raises(ValueError, match="which is litert; export the network for this runtime"):
        OpenVinoRunner(exports.export("litert"))
