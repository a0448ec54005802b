"""TensorRT's builder without a GPU: it reads real ONNX and writes down what it was told."""

# ruff: noqa: N802 (the names are those of TensorRT)

import enum
import json
import types

import numpy as np
import onnx

from tests.runtimes.fake_tensorrt import ILogger

DEVICE = b"times of this GPU:"
UNKNOWN_OPERATOR = "Nothing"


class DataType(enum.Enum):
    UINT8 = onnx.TensorProto.UINT8
    FLOAT = onnx.TensorProto.FLOAT


class FakeTensorRtBuilder:
    """The engine-building interface of the module `tensorrt` or `tensorrt_rtx`.

    Args:
        version: Such as `10.9.0`; from 11 on, and in TensorRT-RTX, precisions are no flags.
        rtx: Whether it is TensorRT-RTX.
        faults: What goes wrong: `builder` or `build`.

    Attributes:
        models: The models that were read.
        configs: The configurations of builds, in order.
    """

    ILogger = ILogger
    MemoryPoolType = enum.Enum("MemoryPoolType", "WORKSPACE")

    def __init__(self, version="10.9.0", rtx=False, faults=()):
        self.__name__ = "tensorrt_rtx" if rtx else "tensorrt"
        self.__version__ = version
        self.faults = faults
        self.models, self.configs, self.network_flags = [], [], []
        weak = not rtx and int(version.split(".")[0]) < 11
        flags = ["TF32", *(["FP16", "INT8"] if weak else [])]
        self.BuilderFlag = enum.Enum("BuilderFlag", flags)
        # Values as in the real ones.
        kinds = {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1} if weak else {"STRONGLY_TYPED": 0}
        self.NetworkDefinitionCreationFlag = enum.IntEnum("Kind", kinds)
        if rtx:
            self.ComputeCapability = enum.Enum(
                "ComputeCapability", ["NONE", "CURRENT", "SM75", "SM86", "SM120"]
            )

    def Runtime(self, logger):
        raise AssertionError("no engine is run while another is built")

    def Builder(self, logger):
        if "builder" in self.faults:
            logger.log(ILogger.ERROR, "CUDA initialization failure with error: 35.")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        return FakeBuilder(self, logger)

    def OnnxParser(self, network, logger):
        return FakeParser(network)

    @staticmethod
    def nptype(dtype):
        return {DataType.UINT8: np.uint8, DataType.FLOAT: np.float32}[dtype]


class FakeBuilder:
    def __init__(self, trt, logger):
        self.trt, self.logger = trt, logger

    def create_network(self, flags):
        self.trt.network_flags.append(flags)
        return FakeNetwork(self.trt)

    def create_builder_config(self):
        self.trt.configs.append(FakeConfig(self.trt, self.logger))
        return self.trt.configs[-1]

    def build_serialized_network(self, network, config):
        if "build" in self.trt.faults:
            self.logger.log(ILogger.ERROR, "Could not find any implementation\nfor node Conv_3.")
            return None
        if config.cache is not None:
            config.cache.content += b" Conv"
        nodes = [node.op_type for node in network.model.graph.node]
        return memoryview(json.dumps(nodes).encode())


class FakeNetwork:
    """The interface of the model that a parser has read into it."""

    def __init__(self, trt):
        self.trt, self.model = trt, onnx.ModelProto()

    def read(self, model):
        self.model = model
        self.trt.models.append(model)

    @property
    def num_layers(self):
        return len(self.model.graph.node)

    @property
    def num_inputs(self):
        return len(self.model.graph.input)

    @property
    def num_outputs(self):
        return len(self.model.graph.output)

    def get_input(self, index):
        return _tensor(self.model.graph.input[index])

    def get_output(self, index):
        return _tensor(self.model.graph.output[index])


def _tensor(value):
    kind = value.type.tensor_type
    shape = tuple(side.dim_value for side in kind.shape.dim)
    return types.SimpleNamespace(name=value.name, shape=shape, dtype=DataType(kind.elem_type))


def _assert_bytes_are_at_the_rim(model):
    """TensorRT's documented rule: only casts read or make uint8, and only from floats."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = [*graph.value_info, *graph.input, *graph.output]
    types = {each.name: each.type.tensor_type.elem_type for each in known}
    # Of quantisation, whose bytes are weights and have types of their own.
    nodes = [node for node in graph.node if not node.op_type.endswith("QuantizeLinear")]
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    for node in nodes:
        reads = onnx.TensorProto.UINT8 in [types.get(name) for name in node.input]
        makes = onnx.TensorProto.UINT8 in [types.get(name) for name in node.output]
        if reads or makes:
            assert node.op_type == "Cast", node
            assert types[(node.output if reads else node.input)[0]] in floats, node


class FakeParser:
    def __init__(self, network):
        self.network, self.errors = network, []

    def parse(self, serialized):
        model = onnx.load_model_from_string(serialized)
        self.errors = [node for node in model.graph.node if node.op_type == UNKNOWN_OPERATOR]
        _assert_bytes_are_at_the_rim(model)
        self.network.read(model)
        return not self.errors

    @property
    def num_errors(self):
        return len(self.errors)

    def get_error(self, index):
        node = self.errors[index]
        error = types.SimpleNamespace(desc=lambda: "No importer registered\nfor it.")
        # Parsers of TensorRT up to 8 have no more to say.
        if int(self.network.trt.__version__.split(".")[0]) > 8:
            error.node_name, error.node_operator = lambda: node.name, lambda: node.op_type
        return error


class FakeConfig:
    def __init__(self, trt, logger):
        self.trt, self.logger = trt, logger
        self.flags = {trt.BuilderFlag.TF32}
        self.pools, self.capabilities, self.cache = {}, [], None

    def set_flag(self, flag):
        self.flags.add(flag)

    def clear_flag(self, flag):
        self.flags.discard(flag)

    def set_memory_pool_limit(self, pool, size):
        self.pools[pool.name] = size

    @property
    def num_compute_capabilities(self):
        return len(self.capabilities)

    @num_compute_capabilities.setter
    def num_compute_capabilities(self, number):
        self.capabilities = [self.trt.ComputeCapability.NONE] * number

    def set_compute_capability(self, capability, index):
        self.capabilities[index] = capability

    def create_timing_cache(self, serialized):
        return FakeTimingCache(serialized or DEVICE)

    def set_timing_cache(self, cache, ignore_mismatch):
        assert not ignore_mismatch
        if not cache.content.startswith(DEVICE):
            self.logger.log(ILogger.ERROR, "the timing cache is of another device")
            return False
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache


class FakeTimingCache:
    def __init__(self, content):
        self.content = content

    def serialize(self):
        return memoryview(self.content)
