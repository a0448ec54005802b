"""TF-TRT conversion of our networks, up to the engines."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.compiler.tensorrt.trt_convert import TrtGraphConverterV2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from keras_fasterseg.export import tftrt_converter
from keras_fasterseg.export.tftrt import convert_saved_model
from keras_fasterseg.export.tftrt_report import tftrt_report
from keras_fasterseg.runtimes.saved_model_format import file_digests, read_metadata
from keras_fasterseg.runtimes.tftrt_graph import ENGINE, all_nodes
from keras_fasterseg.runtimes.tftrt_runner import TfTrtRunner
from tests.stand_in import assert_same_classes, expected_logits, random_images

SIZE = (96, 160)
# Before a fixture replaces it.
BUILD = TrtGraphConverterV2.build

SIGNATURES = ("serving_default", "logits")


def graph_of(path, signature):
    return tf.saved_model.load(str(path)).signatures[signature].graph.as_graph_def()


def run(path, signature, images):
    """Runs the converted signature with TensorFlow instead of TensorRT.

    Its engines become calls of the functions that they replace.
    """
    loaded = tf.saved_model.load(str(path)).signatures[signature]
    flat = convert_variables_to_constants_v2(loaded)
    graph = flat.graph.as_graph_def()
    (engine,) = [node for node in graph.node if node.op == ENGINE]
    types = {"Tin": list(engine.attr["InT"].list.type), "Tout": engine.attr["OutT"].list.type[:]}
    segment = engine.attr["segment_func"].func.name
    engine.op = "PartitionedCall"
    engine.attr.clear()
    engine.attr["f"].func.name = segment
    for name, values in types.items():
        engine.attr[name].list.type.extend(values)

    def call(images):
        return tf.graph_util.import_graph_def(
            graph,
            input_map={flat.inputs[0].name: images},
            return_elements=[flat.outputs[0].name],
        )[0]

    specification = tf.TensorSpec(images.shape, tf.uint8)
    return tf.function(call, autograph=False).get_concrete_function(specification)(images).numpy()


@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize("size", [(1024, 2048), (720, 1000)])
def test_one_engine_covers_the_published_student(student, tmp_path, size, capsys):
    report = convert_saved_model(student, tmp_path / "1", precision="fp16", input_size=size)
    with capsys.disabled():
        sys.stdout.write(f"\npublished student, {size[0]}x{size[1]}: {report.summary()}\n")
    assert report.segments == 1
    assert report.share >= 0.85
    logits = read_metadata(tmp_path / "1")["tftrt"]["reports"]["logits"]
    assert logits["segments"] == 1
    assert logits["share"] >= 0.85


@pytest.mark.usefixtures("without_gpu")
def test_the_student_for_all_sizes_would_fall_into_pieces(student):
    """Reason for requiring one image size; if this test fails one day, drop the requirement."""
    converter = TrtGraphConverterV2(input_saved_model_dir=str(student))
    converter.convert()
    report = tftrt_report(converter._converted_graph_def)
    assert report.segments > 10
    assert report.share < 0.5


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("size", [SIZE, (70, 90)])
def test_what_goes_to_tensorrt_computes_what_keras_computes(
    model, artefact, tmp_path, without_gpu, size, batch_size
):
    path = tmp_path / "converted" / "1"
    report = convert_saved_model(artefact, path, input_size=size, batch_size=batch_size)
    assert report.segments == 1
    images = random_images(batch_size, *size)
    expected = expected_logits(model, images)
    np.testing.assert_allclose(run(path, "logits", images), expected, atol=1e-5)
    class_ids = run(path, "serving_default", images)
    assert class_ids.dtype == np.uint8
    assert_same_classes(class_ids, expected)
    assert [name for name, _ in without_gpu] == ["build", "build"]
    for _, batches in without_gpu:
        assert [batch.shape for batch in batches] == [images.shape]
        assert batches[0].dtype == np.uint8
    assert [entry.name for entry in path.parent.iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("precision", "mode", "dtype"),
    [("fp32", b"FP32", "float32"), ("fp16", b"FP16", "float16"), ("int8", b"INT8", "int8")],
)
def test_options_reach_the_engines_and_the_metadata(
    artefact, tmp_path, without_gpu, precision, mode, dtype
):
    path = tmp_path / "1"
    images = random_images(5, *SIZE)
    calibration = {"calibration_images": list(images)} if precision == "int8" else {}
    report = convert_saved_model(
        artefact,
        path,
        precision=precision,
        input_size=SIZE,
        batch_size=2,
        minimum_segment_size=4,
        workspace_bytes=123456,
        **calibration,
    )
    for signature in SIGNATURES:
        (engine,) = [node for node in all_nodes(graph_of(path, signature)) if node.op == ENGINE]
        assert engine.attr["precision_mode"].s == mode
        assert engine.attr["workspace_size_bytes"].i == 123456
        assert engine.attr["use_calibration"].b == (precision == "int8")
    metadata, before = read_metadata(path), read_metadata(artefact)
    assert metadata["precision"] == dtype
    assert metadata["input_size"] == list(SIZE)
    assert metadata["batch_size"] == 2
    assert metadata["files"] == file_digests(path)
    assert metadata["tftrt"]["minimum_segment_size"] == 4
    assert metadata["tftrt"]["calibration_images"] == (5 if calibration else 0)
    assert metadata["tftrt"]["versions"]["tensorflow"] == "2.17.1"
    assert metadata["tftrt"]["versions"]["tensorrt"] == "8.6.1"
    assert metadata["tftrt"]["reports"]["serving_default"] == report.to_json()
    for name in ("genotype", "mean", "std", "num_classes", "signatures", "versions"):
        assert metadata[name] == before[name]
    calibrated = [batches for name, batches in without_gpu if name == "calibrate"]
    assert len(calibrated) == (2 if calibration else 0)
    for batches in calibrated:
        np.testing.assert_array_equal(batches, [images[:2], images[2:4]])


@pytest.mark.usefixtures("without_gpu")
def test_the_runner_reads_size_and_precision_from_the_graph(artefact, tmp_path):
    convert_saved_model(artefact, tmp_path / "1", precision="fp16", input_size=SIZE, batch_size=2)
    (tmp_path / "1" / "assets.extra" / "metadata.json").unlink()
    runner = TfTrtRunner(tmp_path / "1")
    assert runner.input_size == SIZE
    assert runner.batch_size == 2
    assert runner.describe()["precision"] == "float16"
    assert runner.describe()["runtime"] == "tftrt"
    with pytest.raises(ValueError, match=r"2x96x160. Received: 1x96x160"):
        runner(random_images(1, *SIZE))


@pytest.mark.usefixtures("without_gpu")
def test_what_is_converted_is_not_converted_again(artefact, tmp_path):
    convert_saved_model(artefact, tmp_path / "1", input_size=SIZE)
    with pytest.raises(ValueError, match="was already converted by TF-TRT"):
        convert_saved_model(tmp_path / "1", tmp_path / "2", input_size=SIZE)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        convert_saved_model(artefact, tmp_path / "1", input_size=SIZE)
    convert_saved_model(artefact, tmp_path / "1", input_size=SIZE, precision="fp16", overwrite=True)
    assert read_metadata(tmp_path / "1")["precision"] == "float16"


@pytest.mark.usefixtures("without_gpu")
def test_a_network_without_a_segment_is_refused(artefact, tmp_path):
    message = r"found no segment of at least 1000 operators .*lower minimum_segment_size"
    with pytest.raises(ValueError, match=message):
        convert_saved_model(artefact, tmp_path / "1", input_size=SIZE, minimum_segment_size=1000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_gpu")
def test_the_build_gets_as_far_as_the_kernel_of_the_engine(artefact, tmp_path, monkeypatch):
    """Inputs reach the converted function; then a machine without GPU has nothing to run."""
    monkeypatch.setattr(TrtGraphConverterV2, "build", BUILD)
    with pytest.raises(ValueError, match="No OpKernel was registered to support Op 'TRTEngineOp'"):
        convert_saved_model(artefact, tmp_path / "1", input_size=SIZE)
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_was_not_built_is_no_success(tmp_path):
    with pytest.raises(ValueError, match="built no engine for TRTEngineOp_000_000"):
        tftrt_converter._resource("TRTEngineOp_000_000", tmp_path)
