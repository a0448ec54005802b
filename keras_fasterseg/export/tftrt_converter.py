"""TF-TRT's own converter: one signature at a time, and several of them in one SavedModel.

TensorFlow 2.17 is the last that has it, so that what is private in it changes no more.
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

# Of one shape: a converted SavedModel is for one image size and one number of images.
_CACHED_ENGINES = 1

InputFunction = Callable[[], Iterator[dict[str, np.ndarray]]]


@dataclasses.dataclass(frozen=True)
class TfTrtOptions:
    """What TF-TRT is told.

    Attributes:
        precision: One of `PRECISION_CHOICES`.
        minimum_segment_size: The fewest operators for which an engine is made.
        workspace_bytes: The most memory of the GPU that a kernel of an engine may use.
    """

    precision: str
    minimum_segment_size: int
    workspace_bytes: int

    def check(self) -> None:
        """Raises ValueError if an option is out of its range."""
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
    """A signature whose graph TF-TRT has cut into segments, calibrated for int8.

    Args:
        converter: The `TrtGraphConverterV2` that has done it.
        batches: Makes an iterator of what the signature takes.
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
        """Builds the engines, by one call of the function.

        Raises:
            ValueError: TensorRT or the GPU fail.
        """
        with _one_sentence():
            self._converter.build(lambda: itertools.islice(self._batches(), 1))

    def engines(self, folder: pathlib.Path) -> dict[str, Any]:
        """The engines by name, written below `folder` and fit to be saved; they leave the GPU.

        Raises:
            ValueError: Of a segment no engine was built.
        """
        names = [node.name for node in self.graph.node if node.op == ENGINE]
        return {name: _resource(name, folder) for name in names}


def converted(
    source: pathlib.Path, signature: str, options: TfTrtOptions, batches: InputFunction
) -> ConvertedSignature:
    """Converts one signature of a SavedModel of static shapes.

    Args:
        source: The SavedModel.
        signature: Its name.
        options: Precision, segments and memory.
        batches: Makes an iterator of inputs by name, one dictionary a call: the calibration's, and
            of the first the engines are built.

    Raises:
        ValueError: TF-TRT or the GPU fail.
    """
    # Another TensorFlow need not have it.
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
    """Writes all signatures with their engines as one SavedModel; TF-TRT's `save` writes one.

    Raises:
        ValueError: Of a segment no engine was built.
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
    """The engine of that name as TF-TRT saves it."""
    from tensorflow.python.compiler.tensorrt import trt_convert

    file = folder / f"trt-serialized-engine.{name}"
    # No entry in TF-TRT's cache is no file here; an entry that could not be built is an empty one.
    with contextlib.suppress(tf.errors.NotFoundError):
        trt_convert.gen_trt_ops.serialize_trt_resource(
            resource_name=name,
            filename=str(file),
            delete_resource=True,
            save_gpu_specific_engines=True,
        )
    if not file.is_file() or not file.stat().st_size:
        raise ValueError(
            f"TensorRT has built no engine for {name}; TensorFlow's messages above say why."
        )
    return trt_convert._TRTEngineResource(name, str(file), _CACHED_ENGINES)


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, tf.errors.OpError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"TF-TRT cannot convert the SavedModel: {reason}.") from error
