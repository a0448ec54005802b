import json
import sys

import numpy as np
import pytest

from keras_fasterseg.export.tensorrt import build_engine
from keras_fasterseg.files import sha256
from keras_fasterseg.runtimes.conversion.half_precision import computes_in_half
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from tests.runtimes import exports

onnx = pytest.importorskip("onnx")
pytest.importorskip("tf2onnx")

from tests.export.fake_tensorrt_builder import (  # noqa: E402
    DEVICE,
    UNKNOWN_OPERATOR,
    FakeTensorRtBuilder,
)

VERSIONS = ["8.6.1", "10.9.0", "11.2.0"]


@pytest.fixture
def onnx_file(tmp_path):
    """The network of all exports, with both outputs."""
    file = tmp_path / "model.onnx"
    file.write_bytes((exports.export("onnx") / "model.onnx").read_bytes())
    return file


@pytest.fixture
def engine_file(tmp_path):
    return tmp_path / "engine" / "model.plan"


@pytest.fixture
def install(monkeypatch):
    """Puts a fake in the place of TensorRT or TensorRT-RTX."""

    def put(*args, **kwargs):
        fake = FakeTensorRtBuilder(*args, **kwargs)
        monkeypatch.setitem(sys.modules, fake.__name__, fake)
        return fake

    return put


def flags_of(fake):
    (config,) = fake.configs
    return {flag.name for flag in config.flags}


def quantised(onnx_file, zero_point):
    """The same file with a pair of quantising nodes in it, which is all that is looked for."""
    model = onnx.load(onnx_file)
    for tensor in (np.float32(0.1), zero_point):
        name = "scale" if tensor.dtype == np.float32 else "zero"
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(tensor), name))
    first = next(i for i, node in enumerate(model.graph.node) if node.op_type == "Conv")
    source = model.graph.node[first].input[0]
    model.graph.node[first].input[0] = "restored"
    pair = [("QuantizeLinear", source, "quantised"), ("DequantizeLinear", "quantised", "restored")]
    for offset, (kind, before, after) in enumerate(pair):
        node = onnx.helper.make_node(kind, [before, "scale", "zero"], [after])
        model.graph.node.insert(first + offset, node)
    onnx.checker.check_model(model, full_check=True)
    onnx_file.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("version", VERSIONS)
def test_precision_is_a_flag_up_to_10_and_in_the_network_from_11(
    version, install, onnx_file, engine_file
):
    fake = install(version)
    facts = build_engine(onnx_file, engine_file, precision="fp16")
    (model,) = fake.models
    is_new = version == "11.2.0"
    assert computes_in_half(model) == is_new
    assert flags_of(fake) == (set() if is_new else {"FP16"})
    # EXPLICIT_BATCH is 1 << 0 up to 10; from 11 on STRONGLY_TYPED is what it is in TensorRT-RTX.
    assert fake.network_flags == [1]
    assert facts["strongly_typed"] == is_new
    assert facts["version"] == version


@pytest.mark.parametrize("version", VERSIONS)
def test_a_float32_engine_has_no_flag_and_no_tf32_unless_asked_for(
    version, install, onnx_file, engine_file
):
    fake = install(version)
    assert not build_engine(onnx_file, engine_file)["tf32"]
    assert flags_of(fake) == set()
    assert not computes_in_half(fake.models[0])
    fake = install(version)
    assert build_engine(onnx_file, engine_file, allow_tf32=True)["tf32"]
    assert flags_of(fake) == {"TF32"}


@pytest.mark.parametrize("version", VERSIONS)
def test_int8_wants_a_quantised_network(version, install, onnx_file, engine_file):
    fake = install(version)
    with pytest.raises(ValueError, match=r"is not quantised .* quantise it first, with `symmetric"):
        build_engine(onnx_file, engine_file, precision="int8")
    quantised(onnx_file, np.int8(0))
    with pytest.raises(ValueError, match="is quantised; build an engine with precision int8"):
        build_engine(onnx_file, engine_file, precision="fp16")
    assert not engine_file.exists()
    build_engine(onnx_file, engine_file, precision="int8")
    assert flags_of(fake) == (set() if version == "11.2.0" else {"INT8"})


@pytest.mark.parametrize("zero_point", [np.uint8(0), np.int8(3)])
def test_int8_is_centred_on_zero(zero_point, install, onnx_file, engine_file):
    install()
    quantised(onnx_file, zero_point)
    with pytest.raises(ValueError, match=r"supports only int8 around zero; .*symmetric=True"):
        build_engine(onnx_file, engine_file, precision="int8")
    assert not engine_file.parent.exists()


def test_facts_are_those_of_the_network_and_the_file(install, onnx_file, engine_file):
    fake = install()
    facts = build_engine(onnx_file, engine_file, workspace_bytes=2**28)
    assert json.loads(json.dumps(facts)) == facts
    written = engine_file.read_bytes()
    assert json.loads(written) == [node.op_type for node in fake.models[0].graph.node]
    height, width = exports.SIZE
    assert facts.pop("seconds") >= 0
    assert facts == {
        "flavour": "tensorrt",
        "version": "10.9.0",
        "precision": "fp32",
        "tf32": False,
        "compute_capabilities": [],
        "workspace_bytes": 2**28,
        "strongly_typed": False,
        "inputs": {"images": {"shape": [1, height, width, 3], "dtype": "uint8"}},
        "outputs": {
            "class_ids": {"shape": [1, height, width], "dtype": "uint8"},
            "logits": {"shape": [1, height, width, 5], "dtype": "float32"},
        },
        "layers": len(fake.models[0].graph.node),
        "engine_bytes": len(written),
    }
    assert fake.configs[0].pools == {"WORKSPACE": 2**28}
    assert [path.name for path in engine_file.parent.iterdir()] == ["model.plan"]


def test_class_ids_become_bytes_by_way_of_floats(install, onnx_file, engine_file):
    fake = install()
    build_engine(onnx_file, engine_file)
    (model,) = fake.models
    types = onnx.shape_inference.infer_shapes(model).graph.value_info
    types = {each.name: each.type.tensor_type.elem_type for each in types}
    (last,) = [node for node in model.graph.node if "class_ids" in node.output]
    assert types[last.input[0]] == onnx.TensorProto.FLOAT


def test_tensorrt_rtx_builds_for_chosen_gpus(install, onnx_file, engine_file):
    fake = install("1.7.1.116", rtx=True)
    options = {"flavour": "tensorrt_rtx", "precision": "fp16"}
    facts = build_engine(onnx_file, engine_file, **options)
    assert facts["strongly_typed"]
    assert facts["compute_capabilities"] == []
    assert computes_in_half(fake.models[0])
    facts = build_engine(onnx_file, engine_file, compute_capabilities=("8.6", "12.0"), **options)
    assert facts["compute_capabilities"] == ["8.6", "12.0"]
    chosen = [[each.name for each in config.capabilities] for config in fake.configs]
    assert chosen == [[], ["SM86", "SM120"]]
    with pytest.raises(ValueError, match=r"must be among 7\.5, 8\.6, 12\.0\. Received: 9\.0"):
        build_engine(onnx_file, engine_file, compute_capabilities=("9.0",), **options)


def test_the_timing_cache_is_made_and_completed(install, onnx_file, engine_file, tmp_path):
    install()
    cache = tmp_path / "caches" / "timing.cache"
    build_engine(onnx_file, engine_file, timing_cache=cache)
    assert cache.read_bytes() == DEVICE + b" Conv"
    build_engine(onnx_file, engine_file, timing_cache=cache)
    assert cache.read_bytes() == DEVICE + b" Conv Conv"
    # Of another GPU: not used, and replaced.
    cache.write_bytes(b"times of another GPU: Conv")
    build_engine(onnx_file, engine_file, timing_cache=cache)
    assert cache.read_bytes() == DEVICE + b" Conv"
    assert [path.name for path in cache.parent.iterdir()] == ["timing.cache"]


def test_a_failed_build_leaves_engine_and_cache_as_they_were(
    install, onnx_file, engine_file, tmp_path
):
    install()
    cache = tmp_path / "timing.cache"
    build_engine(onnx_file, engine_file, timing_cache=cache)
    before = sha256(engine_file), sha256(cache)
    install(faults=("build",))
    cache_of_others = tmp_path / "others.cache"
    cache_of_others.write_bytes(b"times of another GPU")
    sentence = (
        r"^tensorrt 10\.9\.0 cannot build an engine from \S+model\.onnx: "
        r"Could not find any implementation for node Conv_3\.$"
    )
    for timing_cache in (cache, cache_of_others):
        with pytest.raises(ValueError, match=sentence):
            build_engine(onnx_file, engine_file, timing_cache=timing_cache)
    assert (sha256(engine_file), sha256(cache)) == before
    assert cache_of_others.read_bytes() == b"times of another GPU"
    assert [path.name for path in engine_file.parent.iterdir()] == ["model.plan"]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_parser_does_not_know_is_one_sentence(version, install, onnx_file, engine_file):
    install(version)
    model = onnx.load(onnx_file)
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type, node.name = UNKNOWN_OPERATOR, "fifth"
    onnx_file.write_bytes(model.SerializeToString())
    where = "" if version == "8.6.1" else r" \(Nothing fifth\)"
    sentence = rf"^tensorrt \S+ cannot read \S+model\.onnx: No importer registered for it\.?{where}"
    with pytest.raises(ValueError, match=sentence) as raised:
        build_engine(onnx_file, engine_file)
    assert "\n" not in str(raised.value)
    assert not engine_file.parent.exists()


def test_a_machine_without_a_gpu_is_one_sentence(install, onnx_file, engine_file):
    install(faults=("builder",))
    sentence = "cannot create a builder on .*: CUDA initialization failure with error: 35.$"
    with pytest.raises(ValueError, match=sentence):
        build_engine(onnx_file, engine_file)
    assert not engine_file.parent.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flavour": "trt"}, "must be one of tensorrt, tensorrt_rtx. Received: flavour='trt'"),
        ({"precision": "bf16"}, "must be one of fp32, fp16, int8. Received: precision='bf16'"),
        ({"workspace_bytes": 0}, "at least 1 or None. Received: workspace_bytes=0"),
        ({"compute_capabilities": ["8.6"]}, "only tensorrt_rtx accepts `compute_capabilities`"),
        (
            {"flavour": "tensorrt_rtx", "timing_cache": "timing.cache"},
            "has no timing cache; leave `timing_cache` unset. Received: timing_cache=timing.cache",
        ),
    ],
)
def test_options_out_of_their_range_are_refused(options, message, install, onnx_file, engine_file):
    install()
    install("1.7.1.116", rtx=True)
    with pytest.raises(ValueError, match=message):
        build_engine(onnx_file, engine_file, **options)
    assert not engine_file.parent.exists()


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt_rtx"])
def test_what_is_not_installed_is_said(flavour, monkeypatch, onnx_file, engine_file):
    monkeypatch.setitem(sys.modules, flavour, None)
    with pytest.raises(RuntimeNotInstalledError, match=r"^Building an engine needs .*pip install"):
        build_engine(onnx_file, engine_file, flavour=flavour)
