import concurrent.futures
import multiprocessing

import numpy as np
import pytest

from keras_fasterseg.available_cores import AvailableCores
from keras_fasterseg.export import quantization
from keras_fasterseg.export.options import METHODS
from keras_fasterseg.export.quantization import quantize_onnx
from keras_fasterseg.jobs.export import export_network
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.spaces.joint.space import JointSpace
from tests.runtimes import exports
from tests.spaces.joint.tiny import SETTINGS as JOINT_SETTINGS
from tests.stand_in import expected_logits, random_images

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def images(count):
    return [random_images(1, *exports.SIZE, seed=seed) for seed in range(count)]


def quantize(target, **options):
    source = exports.export("onnx", "class_ids") / "model.onnx"
    return quantize_onnx(source, target, images(4), progress=False, **options)


@pytest.mark.parametrize("method", METHODS)
def test_convolutions_run_in_int8_but_for_the_classifier(tmp_path, method):
    result = quantize(tmp_path / "model.onnx", method=method, wanted=0.0)
    assert (result.method, result.images, result.excluded) == (method, 3, ())
    graph = onnx.load(tmp_path / "model.onnx").graph
    makers = {name: node for node in graph.node for name in node.output}
    kinds = [
        makers[node.input[1]].op_type if node.input[1] in makers else "float"
        for node in graph.node
        if node.op_type == "Conv"
    ]
    assert kinds.count("float") == 1
    assert set(kinds) == {"float", "DequantizeLinear"}
    weights = {each.name: each for each in graph.initializer}
    types = {
        weights[makers[node.input[1]].input[0]].data_type
        for node in graph.node
        if node.op_type == "Conv" and node.input[1] in makers
    }
    assert types == {onnx.TensorProto.INT8}


def test_the_share_of_equal_labels_is_measured(tmp_path):
    from keras_fasterseg.runtimes.onnxruntime_runner import OnnxRuntimeRunner

    result = quantize(tmp_path / "model.onnx", wanted=0.0)
    (image,) = images(1)
    expected = expected_logits(exports.network(), image).argmax(axis=-1)
    received = OnnxRuntimeRunner(tmp_path / "model.onnx")(image)
    # The float32 export may differ from Keras where two logits are equal to seven digits.
    assert result.equal_labels == {0: pytest.approx(np.mean(received == expected), abs=1e-3)}


def test_what_changes_most_stays_in_float32(tmp_path):
    result = quantize(tmp_path / "model.onnx", wanted=1.0)
    tried = sorted(result.equal_labels)
    assert tried[:2] == [0, 1]
    best = max(tried, key=lambda count: result.equal_labels[count])
    assert len(result.excluded) == best
    nodes = {node.name: node for node in onnx.load(tmp_path / "model.onnx").graph.node}
    makers = {name for node in nodes.values() for name in node.output}
    for name in result.excluded:
        assert nodes[name].input[1] not in makers


def test_symmetric_activations_are_int8_for_tensorrt(tmp_path):
    quantize(tmp_path / "model.onnx", symmetric=True, method="minmax", wanted=0.0)
    graph = onnx.load(tmp_path / "model.onnx").graph
    zeros = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    points = [zeros[node.input[2]] for node in graph.node if node.op_type == "QuantizeLinear"]
    assert points
    assert all(point.dtype == np.int8 and not point.any() for point in points)


def find_ranges(source, ranges):
    """The threads, and the level of optimisation, of the calibrator's session under a quota."""
    from onnxruntime.quantization import calibrate

    made, create = [], calibrate.create_calibrator
    calibrate.create_calibrator = lambda *args, **options: (
        made.append(create(*args, **options)) or made[0]
    )
    quantization.available_cores = lambda: AvailableCores(8, 8, 3.5)
    method = calibrate.CalibrationMethod.MinMax
    quantization._find_ranges(source, ranges, method, False, images(1), progress=False)
    options = made[0].infer_session.get_session_options()
    return options.intra_op_num_threads, options.graph_optimization_level.name


def test_calibration_keeps_to_the_quota(tmp_path):
    source = exports.export("onnx", "class_ids") / "model.onnx"
    # As `quantize_onnx` does it: here ONNX Runtime may have its one pool already.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        found = pool.submit(find_ranges, source, tmp_path / "ranges.json").result()
    assert found == (3, "ORT_DISABLE_ALL")
    assert (tmp_path / "ranges.json").is_file()


def test_what_cannot_be(tmp_path):
    source = exports.export("onnx", "class_ids") / "model.onnx"
    with pytest.raises(ValueError, match=r"needs real images: .* to compare. Received: 1;"):
        quantize_onnx(source, tmp_path / "model.onnx", images(1))
    with pytest.raises(ValueError, match="`method` must be one of percentile, entropy, minmax"):
        quantize_onnx(source, tmp_path / "model.onnx", images(2), method="guess")
    assert list(tmp_path.iterdir()) == []


def test_openvino_compiles_a_normalised_concatenation(tmp_path):
    """A downsampler of the joint space concatenates before its batch normalisation."""
    openvino = pytest.importorskip("openvino")
    space = JointSpace(JOINT_SETTINGS)
    network = space.build(space.largest_genotype(), 3)
    settings = ExportSettings("onnx", input_size=(64, 64))
    source = export_network(network, tmp_path / "onnx", settings=settings)
    target = tmp_path / "int8.onnx"
    sample = [random_images(1, 64, 64, seed=seed) for seed in range(2)]
    quantize_onnx(source / "model.onnx", target, sample, wanted=0.0, progress=False)
    graph = onnx.load(target).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    scaled = [node for node in graph.node if node.op_type == "Mul"]
    assert scaled
    assert all(makers.get(name) != "DequantizeLinear" for node in scaled for name in node.input)
    core = openvino.Core()
    core.compile_model(core.read_model(target), "CPU")
