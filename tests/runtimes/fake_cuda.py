"""CUDA's runtime without a GPU: memory is memory of this process, a stream is a list of work."""

# ruff: noqa: N802, N815 (the names are those of CUDA)

import ctypes
import enum
import types


class Status(enum.Enum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorLaunchFailure = 719


class Kind(enum.Enum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class FakeCuda:
    """The part of `cuda.bindings.runtime` that the runner uses.

    Args:
        memory: Bytes that can be allocated.

    Attributes:
        blocks: The contents of what is allocated, by address.
        streams: What waits to be done, by stream; nothing is done before it is synchronized.
        calls: Names of the functions that were called, in order.
        failing: Names of functions that answer with an error.
        has_driver: Whether there is one, and with it a GPU.
    """

    cudaError_t = Status
    cudaMemcpyKind = Kind

    def __init__(self, memory=2**20):
        self.memory = memory
        self.blocks = {}
        self.streams = {}
        self.calls = []
        self.failing = set()
        self.has_driver = True
        self._next = 4096

    def cudaGetDeviceCount(self):
        if not self.has_driver:
            return Status.cudaErrorInsufficientDriver, None
        return Status.cudaSuccess, 1

    def cudaMalloc(self, size):
        if sum(map(len, self.blocks.values())) + size > self.memory:
            self.calls.append("cudaMalloc")
            return Status.cudaErrorMemoryAllocation, None
        return self._made("cudaMalloc", self.blocks, bytearray(size))

    def cudaStreamCreate(self):
        return self._made("cudaStreamCreate", self.streams, [])

    def cudaFree(self, address):
        del self.blocks[address]
        return self._done("cudaFree")

    def cudaStreamDestroy(self, stream):
        del self.streams[stream]
        return self._done("cudaStreamDestroy")

    def cudaMemcpyAsync(self, target, source, size, kind, stream):
        if kind is Kind.cudaMemcpyHostToDevice:
            # Memory that is not pinned has been read when the call returns.
            block, content = self.blocks[target], ctypes.string_at(source, size)
            assert len(block) == size
            self.streams[stream].append(lambda: block.__setitem__(slice(None), content))
        else:
            block = self.blocks[source]
            assert len(block) == size
            self.streams[stream].append(lambda: ctypes.memmove(target, bytes(block), size))
        return self._done("cudaMemcpyAsync")

    def cudaStreamSynchronize(self, stream):
        waiting = self.streams[stream]
        while waiting:
            waiting.pop(0)()
        return self._done("cudaStreamSynchronize")

    def cudaGetDevice(self):
        return Status.cudaSuccess, 3

    def cudaGetDeviceProperties(self, device):
        return Status.cudaSuccess, types.SimpleNamespace(name=f"Fake GPU {device}".encode())

    def _made(self, name, things, thing):
        (status,) = self._done(name)
        if status is not Status.cudaSuccess:
            return status, None
        self._next += 4096
        things[self._next] = thing
        return status, self._next

    def _done(self, name):
        self.calls.append(name)
        failed = name in self.failing
        return (Status.cudaErrorLaunchFailure if failed else Status.cudaSuccess,)
