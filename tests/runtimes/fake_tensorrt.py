"""TensorRT's runtime without a GPU: engines are functions of numpy on memory of `FakeCuda`."""

# ruff: noqa: N802 (the names are those of TensorRT)

import enum

import numpy as np

ENGINE = b"an engine of the right version"
REFUSAL = "The engine plan file is not compatible with this version of TensorRT."


class DataType(enum.Enum):
    UINT8 = "uint8"
    FLOAT = "float32"
    HALF = "float16"


class TensorIOMode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO = range(4)


class FakeEngine:
    """An engine with the input `images` and the output `class_ids`, and maybe `logits`.

    Class ids are the sum of the three channels modulo 19, and the logits their one-hot code.

    Args:
        cuda: The `FakeCuda` whose memory it computes on.
        shape: Shape of the images, -1 where it is free.
        names: Names of the input and of the outputs.
        dtype: Type of the input.
    """

    def __init__(self, cuda, shape=(1, 32, 64, 3), names=("images", "class_ids", "logits"), **more):
        self.cuda, self.names, self.logger = cuda, names, None
        self.dtype = more.get("dtype", DataType.UINT8)
        shapes = (shape, shape[:3], (*shape[:3], 19))
        self.shapes = dict(zip(names, shapes, strict=False))
        self.runs, self.has_context, self.takes_addresses = True, True, True

    @property
    def num_io_tensors(self):
        return len(self.names)

    def get_tensor_name(self, index):
        return self.names[index]

    def get_tensor_mode(self, name):
        return TensorIOMode.INPUT if name == self.names[0] else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name):
        return self.shapes[name]

    def get_tensor_dtype(self, name):
        if name == self.names[0]:
            return self.dtype
        return DataType.UINT8 if name == "class_ids" else DataType.FLOAT

    def create_execution_context(self):
        return FakeContext(self) if self.has_context else None


class FakeContext:
    def __init__(self, engine):
        self.engine, self.addresses = engine, {}

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return self.engine.takes_addresses

    def execute_async_v3(self, stream):
        assert type(stream) is int
        self.engine.cuda.calls.append("execute_async_v3")
        if self.engine.runs:
            self.engine.cuda.streams[stream].append(self._compute)
        else:
            self.engine.logger.log(ILogger.ERROR, "no kernel image\nis available.")
        return self.engine.runs

    def _compute(self):
        blocks, shapes = self.engine.cuda.blocks, self.engine.shapes
        images = np.frombuffer(blocks[self.addresses["images"]], np.uint8)
        class_ids = images.reshape(shapes["images"]).astype(np.int32).sum(-1) % 19
        for name, result in {
            "class_ids": class_ids.astype(np.uint8),
            "logits": np.eye(19, dtype=np.float32)[class_ids],
        }.items():
            if name in self.addresses:
                blocks[self.addresses[name]][:] = result.tobytes()


class FakeTensorRt:
    """The part of the module `tensorrt` with which the runner runs `engine`."""

    __name__ = "tensorrt"
    __version__ = "10.9.0"
    DataType = DataType
    TensorIOMode = TensorIOMode
    ILogger = ILogger

    def __init__(self, engine):
        self.engine = engine

    def Runtime(self, logger):
        self.engine.logger = logger
        return self

    def deserialize_cuda_engine(self, serialized):
        if serialized == ENGINE:
            return self.engine
        self.engine.logger.log(ILogger.WARNING, "the engine is old")
        self.engine.logger.log(ILogger.ERROR, REFUSAL)
        return None

    @staticmethod
    def nptype(dtype):
        return np.dtype(dtype.value).type
