"""Builds a TensorRT or TensorRT-RTX engine from an ONNX file."""

import pathlib
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_fasterseg.export.tensorrt_source import FP16, FP32, INT8, PRECISIONS, tensorrt_source
from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.runtimes.artefact_format import TENSORRT, TENSORRT_RTX
from keras_fasterseg.runtimes.tensorrt_module import reason, recording_logger, tensorrt_module

# Builder flags of TensorRT up to 10 for the precisions that it may choose.
_FLAGS = {FP32: (), FP16: ("FP16",), INT8: ("INT8",)}


def build_engine(
    onnx_file: PathLike,
    engine_file: PathLike,
    *,
    flavour: str = TENSORRT,
    precision: str = FP32,
    compute_capabilities: Sequence[str] = (),
    workspace_bytes: int | None = None,
    timing_cache: PathLike | None = None,
    allow_tf32: bool = False,
) -> dict[str, Any]:
    """Builds an engine from the network in `onnx_file` and writes it to `engine_file`.

    TensorRT up to 10 chooses the precision of every layer itself, among the ones that its builder
    allows: there `fp16` and `int8` are flags. TensorRT from 11 and TensorRT-RTX use the precision
    of the network, so `half_precision` converts it for `fp16`. For `int8`, every version needs a
    network that is already quantised (QuantizeLinear and DequantizeLinear).

    TensorRT needs the target GPU and takes minutes. TensorRT-RTX needs no GPU and takes seconds,
    because it compiles kernels when the engine is loaded.

    Args:
        onnx_file: A network for one image size, in float32 or quantised. With `fp16` it may already
            be in float16.
        engine_file: The file to write, such as `model.plan` or `model.rtx`. An existing file is
            replaced only after the engine is built.
        flavour: `tensorrt` or `tensorrt_rtx`.
        precision: `fp32`, `fp16` or `int8`.
        compute_capabilities: Target GPU generations for TensorRT-RTX, such as `("8.6", "8.9")`;
            empty means all from 8.0 on. TensorRT builds for the GPU of this machine.
        workspace_bytes: Maximum GPU memory of a layer, in bytes; None sets no limit.
        timing_cache: File of kernel times for TensorRT, which speeds up the next build on the same
            GPU. The build creates or extends it.
        allow_tf32: Whether float32 products may be rounded to TF32's ten-bit mantissa on GPUs that
            support it. TensorRT itself allows it by default.

    Returns:
        Facts for a manifest, as JSON values: `flavour`, `version`, `precision`, `strongly_typed`,
        `tf32`, `compute_capabilities` (empty: see there), `workspace_bytes`, `inputs` and `outputs`
        by name with `shape` and `dtype`, `layers` (number of layers before fusion), `engine_bytes`
        and `seconds` (build time).

    Raises:
        FileNotFoundError: `onnx_file` does not exist.
        RuntimeNotInstalledError: This flavour of TensorRT, or onnx, is not installed.
        ValueError: An option is out of range or incompatible with the flavour or the network; or
            TensorRT cannot read the network or build the engine, for example without a GPU.
        OSError: A file cannot be written.
    """
    trt = tensorrt_module(flavour, "Building an engine")
    _check(flavour, precision, workspace_bytes, timing_cache)
    capabilities = [_compute_capability(trt, flavour, each) for each in compute_capabilities]
    build = _Build(trt, pathlib.Path(onnx_file), precision)
    config = build.config(capabilities, workspace_bytes, allow_tf32)
    if timing_cache is not None:
        build.start_from(config, pathlib.Path(timing_cache))
    started = time.perf_counter()
    engine = build.engine(config)
    seconds = time.perf_counter() - started
    _write(engine_file, engine)
    if timing_cache is not None:
        _write(timing_cache, bytes(config.get_timing_cache().serialize()))
    return {
        "flavour": flavour,
        "version": trt.__version__,
        "precision": precision,
        "tf32": allow_tf32,
        "compute_capabilities": list(compute_capabilities),
        "workspace_bytes": workspace_bytes,
        **build.facts(),
        "engine_bytes": len(engine),
        "seconds": round(seconds, 3),
    }


class _Build:
    """A network read by TensorRT, and its builder.

    Args:
        trt: The module.
        path: The ONNX file.
        precision: One of `PRECISIONS`.
    """

    def __init__(self, trt: Any, path: pathlib.Path, precision: str) -> None:
        self._trt = trt
        self._path = path
        self._precision = precision
        # TensorRT from 11 and TensorRT-RTX have no such flags.
        self._strongly_typed = not hasattr(trt.BuilderFlag, "FP16")
        source = tensorrt_source(path, precision, strongly_typed=self._strongly_typed)
        self._logger = recording_logger(trt)
        self._builder = self._new_builder()
        self._network = self._parsed(source.SerializeToString())

    def config(
        self, capabilities: Sequence[Any], workspace_bytes: int | None, allow_tf32: bool
    ) -> Any:
        trt = self._trt
        config = self._builder.create_builder_config()
        if workspace_bytes is not None:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_bytes)
        if not allow_tf32:
            config.clear_flag(trt.BuilderFlag.TF32)
        if not self._strongly_typed:
            for flag in _FLAGS[self._precision]:
                config.set_flag(getattr(trt.BuilderFlag, flag))
        if capabilities:
            config.num_compute_capabilities = len(capabilities)
            for index, capability in enumerate(capabilities):
                config.set_compute_capability(capability, index)
        return config

    def start_from(self, config: Any, timing_cache: pathlib.Path) -> None:
        """Loads the kernel times in the file into `config`, or none if they are another GPU's."""
        known = timing_cache.read_bytes() if timing_cache.is_file() else b""
        if not config.set_timing_cache(config.create_timing_cache(known), False):
            config.set_timing_cache(config.create_timing_cache(b""), False)

    def engine(self, config: Any) -> bytes:
        # Earlier errors, for example in the timing cache, did not stop the build.
        self._logger.errors.clear()
        serialized = self._builder.build_serialized_network(self._network, config)
        if serialized is None:
            why = reason(self._logger.errors, "no reason given")
            raise ValueError(f"{self._name} cannot build an engine from {self._path}: {why}.")
        return bytes(serialized)

    def facts(self) -> dict[str, Any]:
        network = self._network
        return {
            "strongly_typed": self._strongly_typed,
            "inputs": self._interface(network.get_input(i) for i in range(network.num_inputs)),
            "outputs": self._interface(network.get_output(i) for i in range(network.num_outputs)),
            "layers": network.num_layers,
        }

    @property
    def _name(self) -> str:
        return f"{self._trt.__name__} {self._trt.__version__}"

    def _new_builder(self) -> Any:
        try:
            return self._trt.Builder(self._logger)
        except TypeError as error:
            # The bindings raise TypeError if the builder cannot be created.
            why = reason(self._logger.errors, "check that the GPU and its driver work")
            raise ValueError(
                f"{self._name} cannot create a builder on this machine: {why}."
            ) from error

    def _parsed(self, source: bytes) -> Any:
        network = self._builder.create_network(self._network_flags())
        parser = self._trt.OnnxParser(network, self._logger)
        if not parser.parse(source):
            errors = [_parser_error(parser.get_error(i)) for i in range(parser.num_errors)]
            why = reason(errors or self._logger.errors, "no reason given")
            raise ValueError(f"{self._name} cannot read {self._path}: {why}.")
        return network

    def _network_flags(self) -> int:
        kinds = self._trt.NetworkDefinitionCreationFlag
        # TensorRT up to 9 needs a flag for an explicit batch dimension; later it is always one.
        wanted = ["EXPLICIT_BATCH", *(["STRONGLY_TYPED"] if self._strongly_typed else [])]
        flags = 0
        for name in wanted:
            if hasattr(kinds, name):
                flags |= 1 << int(getattr(kinds, name))
        return flags

    def _interface(self, tensors: Iterable[Any]) -> dict[str, Any]:
        return {
            tensor.name: {
                "shape": list(tensor.shape),
                "dtype": np.dtype(self._trt.nptype(tensor.dtype)).name,
            }
            for tensor in tensors
        }


def _check(
    flavour: str, precision: str, workspace_bytes: int | None, timing_cache: PathLike | None
) -> None:
    if precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {', '.join(PRECISIONS)}. Received: precision={precision!r}"
        )
    if workspace_bytes is not None and workspace_bytes < 1:
        raise ValueError(
            "`workspace_bytes` must be at least 1 or None. "
            f"Received: workspace_bytes={workspace_bytes}"
        )
    if timing_cache is not None and flavour == TENSORRT_RTX:
        raise ValueError(
            "TensorRT-RTX does not time kernels when it builds, so it has no timing cache; leave "
            f"`timing_cache` unset. Received: timing_cache={timing_cache}"
        )


def _compute_capability(trt: Any, flavour: str, spelled: str) -> Any:
    """The member of `trt.ComputeCapability` for a version such as `8.6`."""
    if flavour != TENSORRT_RTX:
        raise ValueError(
            "TensorRT builds for the GPU of this machine; only tensorrt_rtx accepts "
            f"`compute_capabilities`. Received: {spelled}"
        )
    members = trt.ComputeCapability.__members__
    known = {f"{n[2:-1]}.{n[-1]}": member for n, member in members.items() if n.startswith("SM")}
    if spelled not in known:
        raise ValueError(
            f"`compute_capabilities` must be among {', '.join(known)}. Received: {spelled}"
        )
    return known[spelled]


def _parser_error(error: Any) -> str:
    """The text of a parser error, with its operator if the parser names one."""
    operator = getattr(error, "node_operator", str)()
    return f"{error.desc()} ({operator} {error.node_name()})" if operator else error.desc()


def _write(path: PathLike, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
