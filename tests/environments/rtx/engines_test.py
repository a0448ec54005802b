"""Real TensorRT-RTX engines, built ahead of time for GPUs that this machine lacks."""

import json
import logging
import pathlib

import keras
import numpy as np
import pytest

pytest.importorskip("tensorrt_rtx", reason="`make test-rtx` runs this where TensorRT-RTX is")

import tensorrt_rtx

from keras_fasterseg.export.quantization import quantize_onnx
from keras_fasterseg.export.tensorrt import build_engine
from keras_fasterseg.jobs.export import export
from keras_fasterseg.run.network_export import export_network
from keras_fasterseg.runtimes.registry import check_runtime
from keras_fasterseg.runtimes.tensorrt_rtx_runner import TensorRtRtxRunner
from keras_fasterseg.runtimes.tensorrt_runner import DeviceError
from keras_fasterseg.settings.export import ExportSettings
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.registry import load_preset
from tests.runtimes import exports
from tests.stand_in import random_images

LOG = logging.getLogger(__name__)

SIZE = (1024, 2048)
PARAMETERS = 3_421_875  # of the published student in inference
GPUS = {"all": (), "one": ("8.6",), "two": ("8.9", "12.0")}
CASES = [(precision, gpus) for precision in ("fp32", "fp16") for gpus in GPUS]


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory) -> pathlib.Path:
    """The published student with random weights."""
    keras.utils.set_random_seed(0)
    network = FasterSegNetwork(load_preset("fasterseg_student"), 19)
    folder = tmp_path_factory.mktemp("student") / "onnx"
    export_network(network, folder, settings=ExportSettings("onnx", input_size=SIZE))
    return folder / "model.onnx"


@pytest.fixture(scope="module")
def engines(onnx_file, tmp_path_factory):
    """File and facts of an engine, by precision and GPUs."""
    folder = tmp_path_factory.mktemp("engines")
    built = {}
    for precision, gpus in CASES:
        file = folder / f"{precision}_{gpus}.rtx"
        facts = build_engine(
            onnx_file,
            file,
            flavour="tensorrt_rtx",
            precision=precision,
            compute_capabilities=GPUS[gpus],
        )
        LOG.info(json.dumps(facts))
        built[precision, gpus] = file, facts
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        file.name for file, _ in built.values()
    )
    return built


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_an_engine_is_built_whose_interface_is_ours(engines, case):
    file, facts = engines[case]
    assert facts["version"] == tensorrt_rtx.__version__
    assert (facts["flavour"], facts["precision"]) == ("tensorrt_rtx", case[0])
    assert facts["compute_capabilities"] == list(GPUS[case[1]])
    assert facts["strongly_typed"]
    assert facts["inputs"] == {"images": {"shape": [1, *SIZE, 3], "dtype": "uint8"}}
    assert facts["outputs"] == {"class_ids": {"shape": [1, *SIZE], "dtype": "uint8"}}
    # 45 convolutions, 44 ReLUs and 25 resizes at least.
    assert facts["layers"] >= 114
    assert facts["engine_bytes"] == file.stat().st_size
    content = file.read_bytes()
    assert b"images" in content
    assert b"class_ids" in content


@pytest.mark.parametrize("gpus", ["all", "one"])
def test_half_precision_makes_the_engine_smaller(engines, gpus):
    sizes = {p: engines[p, gpus][1]["engine_bytes"] for p in ("fp32", "fp16")}
    assert sizes["fp32"] > 4 * PARAMETERS
    assert 2 * PARAMETERS < sizes["fp16"] < sizes["fp32"]


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_library_knows_its_engine_and_misses_only_the_driver(engines, case):
    if _has_driver():
        pytest.skip("a GPU is here, on which the engine would be loaded")
    file, _ = engines[case]
    logger = _Recorder()
    runtime = tensorrt_rtx.Runtime(logger)
    malformed = int(tensorrt_rtx.EngineInvalidityDiagnostics.MALFORMED_ENGINE)
    header = file.read_bytes()[: runtime.engine_header_size]
    # What the header says is all that it tells without a driver.
    _, diagnostics = runtime.get_engine_validity(header)
    assert not diagnostics & malformed
    _, diagnostics = runtime.get_engine_validity(bytes(len(header)))
    assert diagnostics & malformed


@pytest.mark.parametrize("case", CASES[::4], ids="-".join)
def test_the_runner_says_that_there_is_no_driver(engines, case):
    if _has_driver():
        pytest.skip("a GPU is here, on which the engine would be loaded")
    check_runtime("tensorrt_rtx")
    runner = TensorRtRtxRunner(engines[case][0])
    with pytest.raises(DeviceError, match=r"cannot be loaded by tensorrt_rtx .*driver"):
        runner(np.zeros((1, *SIZE, 3), np.uint8))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_export_is_proven_by_the_onnx_behind_it(precision, tmp_path):
    if _has_driver():
        pytest.skip("a GPU is here, on which the engine itself is proven")
    keras.utils.set_random_seed(0)
    FasterSegNetwork(load_preset("fasterseg_student"), 19).save(tmp_path / "network.keras")
    settings = ExportSettings("tensorrt_rtx", precision, input_size=exports.SIZE, proof_images=1)
    proof = export(tmp_path / "network.keras", tmp_path / "engine", settings, progress=False)
    assert proof is not None
    assert proof.by == "onnxruntime, of the ONNX that the engine was built of"
    manifest = json.loads((tmp_path / "engine" / "manifest.json").read_text())
    assert manifest["format"] == "tensorrt_rtx"
    assert manifest["proof"] == proof.to_json()
    assert (tmp_path / "engine" / "model.rtx").stat().st_size == manifest["bytes"]


@pytest.mark.parametrize("symmetric", [True, False])
def test_int8_engines_are_built_of_symmetric_networks(symmetric, tmp_path):
    file, engine = tmp_path / "model.onnx", tmp_path / "engines" / "model.rtx"
    images = [random_images(1, *exports.SIZE, seed=seed) for seed in range(4)]
    quantize_onnx(
        exports.export("onnx") / "model.onnx", file, images, symmetric=symmetric, progress=False
    )
    if not symmetric:
        _assert_refused(file, engine, "supports only int8 around zero", precision="int8")
        return
    facts = build_engine(file, engine, flavour="tensorrt_rtx", precision="int8")
    LOG.info(json.dumps(facts))
    assert facts["inputs"]["images"] == {"shape": [1, *exports.SIZE, 3], "dtype": "uint8"}
    assert engine.stat().st_size == facts["engine_bytes"]


def test_a_corrupt_network_is_one_sentence_and_leaves_no_file(onnx_file, tmp_path):
    content = onnx_file.read_bytes()
    corrupt = tmp_path / "corrupt.onnx"
    engine = tmp_path / "engines" / "model.rtx"
    for damaged in (content[: len(content) // 2], b"not an ONNX model", b""):
        corrupt.write_bytes(damaged)
        _assert_refused(corrupt, engine, r"corrupt\.onnx is not an ONNX model or is damaged")
    # Whole, but of something that TensorRT-RTX cannot know.
    assert content.count(b"ArgMax") > 0
    corrupt.write_bytes(content.replace(b"\x22\x06ArgMax", b"\x22\x06ArgMix"))
    _assert_refused(corrupt, engine, r"tensorrt_rtx \S+ cannot read .*corrupt\.onnx: .*ArgMix")


def test_a_build_that_fails_is_one_sentence_and_leaves_no_file(onnx_file, tmp_path):
    engine = tmp_path / "engines" / "model.rtx"
    message = "cannot build an engine from .*OutOfMemory"
    _assert_refused(onnx_file, engine, message, workspace_bytes=1)


def _assert_refused(onnx_file, engine, message, **options):
    with pytest.raises(ValueError, match=message) as raised:
        build_engine(onnx_file, engine, flavour="tensorrt_rtx", **options)
    LOG.info(raised.value)
    assert "\n" not in str(raised.value)
    assert not engine.parent.exists()


def _has_driver() -> bool:
    from cuda.bindings import runtime

    status, count = runtime.cudaGetDeviceCount()
    return status == runtime.cudaError_t.cudaSuccess and count > 0


class _Recorder(tensorrt_rtx.ILogger):
    def __init__(self):
        tensorrt_rtx.ILogger.__init__(self)

    def log(self, severity, msg):
        pass
