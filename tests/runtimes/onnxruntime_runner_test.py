import numpy as np
import pytest

from keras_fasterseg.available_cores import AvailableCores, available_cores
from keras_fasterseg.runtimes import onnxruntime_pool
from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner, check_provider
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from tests.runtimes import exports
from tests.stand_in import random_images

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(("size", "batch_size"), [(exports.SIZE, 1), (exports.ODD_SIZE, 2)])
def test_equals_keras(size, batch_size):
    runner = OnnxRuntimeRunner(exports.export("onnx", "both", size, batch_size))
    exports.assert_equals_keras(runner, (batch_size, *size))
    exports.assert_results_are_their_own(runner, (batch_size, *size))


def test_infer_leaves_the_result_in_the_runtime():
    runner = OnnxRuntimeRunner(exports.export("onnx"))
    images = random_images(1, *exports.SIZE)
    handle = runner.infer(images)
    assert isinstance(handle, onnxruntime.OrtValue)
    np.testing.assert_array_equal(runner.fetch(handle), runner(images))


def test_describes():
    exports.assert_describes(OnnxRuntimeRunner(exports.export("onnx")), "onnxruntime")
    facts = OnnxRuntimeRunner(exports.export("onnx")).describe()
    assert facts["threads"] == available_cores().physical_threads
    assert "CPUExecutionProvider" in facts["device"]


def test_its_threads_keep_to_the_quota(monkeypatch):
    pools = []
    monkeypatch.setattr(onnxruntime_pool, "_make_pool", pools.append)
    monkeypatch.setattr(onnxruntime_pool, "available_cores", lambda: AvailableCores(8, 4, 2.5))
    assert onnxruntime_pool.session_options(None)[1] == 2
    assert onnxruntime_pool.session_options(8)[1] == 8
    assert pools == [2, 8]


def test_a_second_number_of_threads_is_refused():
    first = OnnxRuntimeRunner(exports.export("onnx"))
    first.load()
    other = OnnxRuntimeRunner(exports.export("onnx"), threads=first.describe()["threads"] + 1)
    with pytest.raises(ValueError, match=r"already runs with another number of threads.*threads="):
        other.load()


def test_the_folder_and_the_file_in_it_are_one_artefact():
    folder = exports.export("onnx")
    facts = OnnxRuntimeRunner(folder).describe()
    assert OnnxRuntimeRunner(folder / "model.onnx").describe() == facts


def test_refuses_what_it_cannot_do(tmp_path):
    exports.assert_refuses_what_it_cannot_do(OnnxRuntimeRunner, "onnx")
    exports.assert_refuses_damaged_files(OnnxRuntimeRunner, "onnx", "model.onnx", tmp_path)


def test_a_model_of_someone_else_is_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    value = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 4])
        for name in ("features", "scores")
    ]
    node = onnx.helper.make_node("Relu", ["features"], ["scores"])
    graph = onnx.helper.make_graph([node], "foreign", value[:1], value[1:])
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(ValueError, match=r"not exported by keras_fasterseg.*features.*scores"):
        OnnxRuntimeRunner(tmp_path / "foreign.onnx").load()


def test_a_provider_that_is_not_there_is_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"cpu, cuda, tensorrt. Received: provider='npu'"):
        check_provider("npu")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(RuntimeNotInstalledError, match="no CUDAExecutionProvider, only CPU"):
        OnnxRuntimeRunner(exports.export("onnx"), provider="cuda")


def test_a_provider_that_does_not_load_is_refused(monkeypatch):
    # ONNX Runtime takes the CPU in its place and only logs it.
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    runner = OnnxRuntimeRunner(exports.export("onnx"), provider="cuda")
    with pytest.raises(RuntimeNotInstalledError, match=r"could not load its .* \(it uses CPUExec"):
        runner.load()


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"model\.onnx cannot be loaded; export it again"):
        OnnxRuntimeRunner(tmp_path / "model.onnx").load()
