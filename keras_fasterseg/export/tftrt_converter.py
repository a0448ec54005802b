"""Wrapper of TF-TRT's converter that saves several converted signatures in one SavedModel.

TensorFlow 2.17 is the last version with TF-TRT, so its private interface no longer changes.
"""

import contextlib
import dataclasses
import itertools
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fasterseg.runtimes.tftrt_graph import ENGINE, PRECISIONS

INT8 = "int8"
PRECISION_CHOICES = tuple(mode.lower() for mode in PRECISIONS)

# One shape: a converted SavedModel is for one image size and one batch size.
_CACHED_ENGINES = 1

InputFunction = Callable[[], Iterator[dict[str, np.ndarray]]]


@dataclasses.dataclass(frozen=True)
class TfTrtOptions:
    """Options of TF-TRT.

    Attributes:
        precision: One of `PRECISION_CHOICES`.
        minimum_segment_size: Minimum number of operators in an engine.
        workspace_bytes: Maximum GPU memory of an engine's kernel, in bytes.
    """

    precision: str
    minimum_segment_size: int
    workspace_bytes: int

    def check(self) -> None:
        """Raises ValueError if an option is out of range."""
        if self.precision not in PRECISION_CHOICES:
            raise ValueError(
                f"`precision` must be one of {', '.join(PRECISION_CHOICES)}. "
                f"Received: precision={self.precision!r}"
            )
        for name in ("minimum_segment_size", "workspace_bytes"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")


class ConvertedSignature:
    """A signature that TF-TRT has split into segments, and calibrated for int8.

    Args:
        converter: The `TrtGraphConverterV2` that converted it.
        batches: Makes an iterator over inputs of the signature.
    """

    def __init__(self, converter: Any, batches: InputFunction) -> None:
        self._converter = converter
        self._batches = batches

    @property
    def graph(self) -> Any:
        """The converted `GraphDef`."""
        return self._converter._converted_graph_def

    @property
    def function(self) -> Any:
        """The concrete function of that graph."""
        return self._converter._converted_func

    def build(self) -> None:
        """Builds the engines with one call of the function.

        Raises:
            ValueError: TensorRT or the GPU fails.
        """
        with _one_sentence():
            self._converter.build(lambda: itertools.islice(self._batches(), 1))

    def engines(self, folder: pathlib.Path) -> dict[str, Any]:
        """The engines by name, written to `folder`, ready to be saved and removed from the GPU.

        Raises:
            ValueError: No engine was built for a segment.
        """
        names = [node.name for node in self.graph.node if node.op == ENGINE]
        return {name: _resource(name, folder) for name in names}


def converted(
    source: pathlib.Path, signature: str, options: TfTrtOptions, batches: InputFunction
) -> ConvertedSignature:
    """Converts one signature of a SavedModel with static shapes.

    Args:
        source: The SavedModel.
        signature: Name of the signature.
        options: Precision, segments and memory.
        batches: Makes an iterator over inputs, one dictionary by name per call. All are used for
            calibration; the engines are built with the first.

    Raises:
        ValueError: TF-TRT or the GPU fails.
    """
    # Imported here: other TensorFlow versions may lack it.
    from tensorflow.python.compiler.tensorrt.trt_convert import TrtGraphConverterV2

    calibrate = options.precision == INT8
    with _one_sentence():
        converter = TrtGraphConverterV2(
            input_saved_model_dir=str(source),
            input_saved_model_signature_key=signature,
            precision_mode=options.precision.upper(),
            minimum_segment_size=options.minimum_segment_size,
            max_workspace_size_bytes=options.workspace_bytes,
            maximum_cached_engines=_CACHED_ENGINES,
            use_calibration=calibrate,
        )
        converter.convert(batches if calibrate else None)
    return ConvertedSignature(converter, batches)


def save_converted(signatures: Mapping[str, ConvertedSignature], path: pathlib.Path) -> None:
    """Writes all signatures with their engines as one SavedModel.

    TF-TRT's own `save` writes only one signature.

    Raises:
        ValueError: No engine was built for a segment.
    """
    module = tf.Module()
    with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder:
        module.trt_engine_resources = {
            name: resource
            for signature in signatures.values()
            for name, resource in signature.engines(pathlib.Path(folder)).items()
        }
        functions = {name: signature.function for name, signature in signatures.items()}
        tf.saved_model.save(module, str(path), functions)


def _resource(name: str, folder: pathlib.Path) -> Any:
    """The engine of that name, in the form in which TF-TRT saves it."""
    from tensorflow.python.compiler.tensorrt import trt_convert

    file = folder / f"trt-serialized-engine.{name}"
    # Without an entry in TF-TRT's cache no file is written; a failed build writes an empty file.
    with contextlib.suppress(tf.errors.NotFoundError):
        trt_convert.gen_trt_ops.serialize_trt_resource(
            resource_name=name,
            filename=str(file),
            delete_resource=True,
            save_gpu_specific_engines=True,
        )
    if not file.is_file() or not file.stat().st_size:
        raise ValueError(
            f"TensorRT built no engine for {name}; see TensorFlow's messages above for the reason."
        )
    return trt_convert._TRTEngineResource(name, str(file), _CACHED_ENGINES)


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, tf.errors.OpError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"TF-TRT cannot convert the SavedModel: {reason}.") from error
