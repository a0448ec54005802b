"""From an ONNX file to an engine of TensorRT or TensorRT-RTX."""

import pathlib
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_fasterseg.export.tensorrt_source import FP16, FP32, INT8, PRECISIONS, tensorrt_source
from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.runtimes.artefact_format import TENSORRT, TENSORRT_RTX
from keras_fasterseg.runtimes.tensorrt_module import reason, recording_logger, tensorrt_module

# How TensorRT up to 10 is told which precisions it may choose.
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
    """Builds an engine of the network in `onnx_file` and writes it to `engine_file`.

    TensorRT up to 10 chooses the precision of every layer itself, among those that its builder
    allows: there `fp16` and `int8` are flags. TensorRT from 11 and TensorRT-RTX take the precision
    from the network, which is therefore converted by `half_precision` for `fp16`. For `int8` the
    network must have been quantised before (QuantizeLinear and DequantizeLinear), whatever the
    version.

    TensorRT needs the GPU that the engine is for and takes minutes; TensorRT-RTX needs none and
    takes seconds, because kernels are compiled when the engine is loaded.

    Args:
        onnx_file: A network for one size of images, in float32 or quantised; with `fp16` it may be
            in float16 already.
        engine_file: The file to write, such as `model.plan` or `model.rtx`. A file that is there is
            replaced when the engine is built, and only then.
        flavour: `tensorrt` or `tensorrt_rtx`.
        precision: `fp32`, `fp16` or `int8`.
        compute_capabilities: For TensorRT-RTX the kinds of GPUs that the engine is for, such as
            `("8.6", "8.9")`; none means all from 8.0 on. TensorRT builds for the GPU that is there.
        workspace_bytes: The most memory of the GPU that a layer may use; None sets no limit.
        timing_cache: For TensorRT a file with the times of kernels, which makes the next build on
            the same GPU faster; made or completed by the build.
        allow_tf32: Whether products of float32 may be rounded to the ten digits of TF32 on GPUs
            that have it, which is TensorRT's own default.

    Returns:
        Facts for a manifest, fit for JSON: `flavour`, `version`, `precision`, `strongly_typed`,
        `tf32`, `compute_capabilities` (empty: see there), `workspace_bytes`, `inputs` and `outputs`
        by name with `shape` and `dtype`, `layers` of the network before layers are fused,
        `engine_bytes`, and `seconds` that the build took.

    Raises:
        FileNotFoundError: There is no `onnx_file`.
        RuntimeNotInstalledError: This flavour of TensorRT, or onnx, is not installed.
        ValueError: An option is out of its range or does not go with the flavour or the network;
            or TensorRT cannot read the network or build the engine, for want of a GPU for example.
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
    """A network that TensorRT has read, and the builder that it belongs to.

    Args:
        trt: The module.
        path: The ONNX file.
        precision: One of `PRECISIONS`.
    """

    def __init__(self, trt: Any, path: pathlib.Path, precision: str) -> None:
        self._trt = trt
        self._path = path
        self._precision = precision
        # From version 11 on and in TensorRT-RTX there are no such flags.
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
        """Gives `config` the times of kernels in the file, or none if they are another GPU's."""
        known = timing_cache.read_bytes() if timing_cache.is_file() else b""
        if not config.set_timing_cache(config.create_timing_cache(known), False):
            config.set_timing_cache(config.create_timing_cache(b""), False)

    def engine(self, config: Any) -> bytes:
        # What went wrong before, in the timing cache for example, did not end the build.
        self._logger.errors.clear()
        serialized = self._builder.build_serialized_network(self._network, config)
        if serialized is None:
            why = reason(self._logger.errors, "it does not say why")
            raise ValueError(f"{self._name} cannot build an engine of {self._path}: {why}.")
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
            # What the bindings make of a builder that could not be made.
            why = reason(self._logger.errors, "is there a GPU with its driver?")
            raise ValueError(f"{self._name} has no builder on this machine: {why}.") from error

    def _parsed(self, source: bytes) -> Any:
        network = self._builder.create_network(self._network_flags())
        parser = self._trt.OnnxParser(network, self._logger)
        if not parser.parse(source):
            errors = [_parser_error(parser.get_error(i)) for i in range(parser.num_errors)]
            why = reason(errors or self._logger.errors, "it does not say why")
            raise ValueError(f"{self._name} cannot read {self._path}: {why}.")
        return network

    def _network_flags(self) -> int:
        kinds = self._trt.NetworkDefinitionCreationFlag
        # Up to 9 the batch must be asked for, where it is always a dimension later.
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
            "TensorRT-RTX times nothing when it builds, so it has no timing cache; leave "
            f"`timing_cache` unset. Received: timing_cache={timing_cache}"
        )


def _compute_capability(trt: Any, flavour: str, spelled: str) -> Any:
    """The member of `trt.ComputeCapability` for a version such as `8.6`."""
    if flavour != TENSORRT_RTX:
        raise ValueError(
            "TensorRT builds for the GPU of this machine; only tensorrt_rtx takes "
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
    """What an error says and, where the parser knows, of which operator."""
    operator = getattr(error, "node_operator", str)()
    return f"{error.desc()} ({operator} {error.node_name()})" if operator else error.desc()


def _write(path: PathLike, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
