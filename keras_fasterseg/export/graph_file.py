"""Writes a network as a graph file for ONNX Runtime, OpenVINO or LiteRT; a backend switch.

The graph is traced by TensorFlow, or converted to ONNX by PyTorch's exporter.
"""

import dataclasses
import functools
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import keras

from keras_fasterseg.export.manifest import Palette, check_target, described_files, manifest
from keras_fasterseg.export.options import (
    OUTPUTS,
    PRECISION_NAMES,
    PRECISIONS,
    CalibrationImages,
)
from keras_fasterseg.files import PathLike, atomic_path, write_json
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.runtimes.artefact_format import (
    GRAPH_FILES,
    LITERT,
    MANIFEST,
    ONNX,
    OPENVINO,
    graph_digests,
)
from keras_fasterseg.runtimes.saved_model_format import INPUT_NAME
from keras_fasterseg.runtimes.serving_graph import ServingGraph
from keras_fasterseg.runtimes.signature import CLASS_IDS, LOGITS, MINIMUM_SIZE, check_input_shape

_PACKAGES = {
    ONNX: ("tf2onnx", "onnx", "onnxslim"),
    OPENVINO: ("tf2onnx", "onnx", "onnxslim", "openvino"),
    LITERT: (),
}


def export_graph_file(
    model: keras.Model,
    path: PathLike,
    *,
    format: str,
    input_size: tuple[int, int] | None,
    batch_size: int | None = 1,
    outputs: str = CLASS_IDS,
    precision: str = "fp32",
    calibration: CalibrationImages | None = None,
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    class_names: Sequence[str] | None = None,
    palette: Palette | None = None,
    metadata: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> pathlib.Path:
    """Exports `model` with its preprocessing, padding and argmax.

    The graph has the input `images`, uint8 RGB `(batch, height, width, 3)`, and the outputs
    `class_ids`, uint8 `(batch, height, width)`, and `logits`, float32
    `(batch, height, width, num_classes)`, at every precision. It neither pads nor crops sizes that
    are multiples of 32. `manifest.json` next to it holds the same metadata as
    `assets.extra/metadata.json` in a SavedModel. An ONNX file also embeds it, see `described`.

    Args:
        model: Maps normalised images to logits, see `ServingGraph`.
        path: The folder to write.
        format: `onnx` (`model.onnx`), `openvino` (`model.xml`, `model.bin`) or `litert`
            (`model.tflite`).
        input_size: Height and width of the images, each at least 32. None leaves both free;
            LiteRT, int8 and PyTorch's exporter need fixed sizes.
        batch_size: Images per call. None allows any number; LiteRT needs a fixed one.
        outputs: `class_ids`, `logits` or `both`; `both` computes them in one pass of the network.
        precision: `fp32`, `fp16` or `int8`, see `PRECISIONS`. For `fp16`, OpenVINO and LiteRT
            store weights in float16 and compute in the device's precision. For `int8`, LiteRT
            computes in integers only.
        calibration: Required for `int8`, which must have the output `class_ids`.
        num_classes: Number of classes of the logits, at most 255.
        mean: Mean of the three channels, of images scaled to [0, 1].
        std: Standard deviation of the three channels, of images scaled to [0, 1].
        class_names: A name for every class, in the order of the logits.
        palette: RGB colour of every class, for displaying results.
        metadata: Further JSON-serialisable facts for the manifest, such as `genotype`.
        overwrite: Whether to replace an exported network already at `path`.

    Returns:
        `path`. The write is atomic: if it fails, the previous contents stay.

    Raises:
        FileExistsError: `path` exists and `overwrite` is off, or `path` holds something other than
            an exported network, which is never replaced.
        RuntimeNotInstalledError: A converter to this format is not installed.
        ValueError: See `export_saved_model`; or a size, the format, the precision or the outputs
            are out of range or incompatible with each other.
    """
    path = pathlib.Path(path)
    _check_format(format, precision)
    _check_interface(format, input_size, batch_size, outputs)
    _check_calibration(format, precision, calibration, input_size, outputs)
    check_target(path, overwrite)
    graph = ServingGraph(model, mean=mean, std=std, num_classes=num_classes)
    names = OUTPUTS[outputs]
    facts = manifest(
        graph,
        num_classes=num_classes,
        class_names=class_names,
        palette=palette,
        of_format={
            "format": format,
            "input_size": None if input_size is None else list(input_size),
            "batch_size": batch_size,
            "outputs": list(names),
        },
        metadata=metadata,
        packages=_packages(format, precision),
    )
    shape = (batch_size, *(input_size or (None, None)), 3)
    # LiteRT's calibration needs a float input; the model it writes still accepts bytes.
    dtype = "float32" if (format, precision) == (LITERT, "int8") else "uint8"
    traced = _traced(graph, names, shape, dtype)
    with atomic_path(path) as temporary:
        temporary.mkdir()
        file = temporary / GRAPH_FILES[format]
        facts |= _write(traced, file, facts, precision, calibration)
        write_json(
            temporary / MANIFEST, {**facts, **described_files(temporary, graph_digests(file))}
        )
    return path


def _traced(
    graph: ServingGraph, names: Sequence[str], shape: tuple[int | None, ...], dtype: str
) -> Any:
    """A concrete function of TensorFlow; for PyTorch, a function that returns the ONNX model."""
    if _backend() == "torch":
        from keras_fasterseg.runtimes.conversion.torch_onnx import torch_onnx_model

        return functools.partial(torch_onnx_model, graph, names, shape)
    import tensorflow as tf

    function = tf.function(lambda images: graph.outputs(images, names), autograph=False)
    return function.get_concrete_function(tf.TensorSpec(shape, dtype, name=INPUT_NAME))


def _backend() -> str:
    return keras.backend.backend()


def _packages(format: str, precision: str) -> tuple[str, ...]:
    quantizes = precision == "int8" and format != LITERT
    packages = (*_PACKAGES[format], *(["onnxruntime"] if quantizes else []))
    if _backend() == "torch":
        return tuple("onnxscript" if name == "tf2onnx" else name for name in packages)
    return packages


def _write(
    function: Any,
    file: pathlib.Path,
    facts: dict[str, Any],
    precision: str,
    calibration: CalibrationImages | None,
) -> dict[str, Any]:
    """Writes the graph and returns the manifest fields for its precision and its opset."""
    format = facts["format"]
    if format == LITERT:
        return _write_litert(function, file, precision, calibration)
    if format == ONNX:
        return _write_onnx(function, file, facts, precision, calibration)
    import openvino

    with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder:
        onnx_file = pathlib.Path(folder) / GRAPH_FILES[ONNX]
        # OpenVINO converts the weights to float16 on saving.
        source = "fp32" if precision == "fp16" else precision
        written = _write_onnx(function, onnx_file, facts, source, calibration)
        model = openvino.Core().read_model(onnx_file)
        openvino.save_model(model, file, compress_to_fp16=precision == "fp16")
    del written["opset"]
    return written | _facts(precision)


def _write_litert(
    function: Any, file: pathlib.Path, precision: str, calibration: CalibrationImages | None
) -> dict[str, Any]:
    from keras_fasterseg.runtimes.conversion.litert import integer_litert_model, litert_model

    if precision != "int8" or calibration is None:
        file.write_bytes(litert_model(function, half_weights=precision == "fp16"))
        return _facts(precision)
    images = progress_bar(calibration.images, "calibrate", unit="batch", show=calibration.progress)
    file.write_bytes(integer_litert_model(function, images))
    # LiteRT's method: ranges are the minimum and maximum, and no layer may stay in floats.
    facts = {"method": "minmax", "images": sum(map(len, calibration.images)), "excluded": []}
    return {**_facts(precision), "quantization": facts}


def _write_onnx(
    function: Any,
    file: pathlib.Path,
    facts: dict[str, Any],
    precision: str,
    calibration: CalibrationImages | None,
) -> dict[str, Any]:
    from keras_fasterseg.export.onnx_interface import described
    from keras_fasterseg.runtimes.conversion.onnx import onnx_model

    model = function() if _backend() == "torch" else onnx_model(function, simplify=True)
    if precision == "fp16":
        from keras_fasterseg.runtimes.conversion.half_precision import half_precision

        model = half_precision(model)
    if precision != "int8" or calibration is None:
        written = _facts(precision) | _opset(model)
        file.write_bytes(described(model, facts | written).SerializeToString())
        return written
    import onnx

    from keras_fasterseg.export.quantization import quantize_onnx

    with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder:
        source, target = (pathlib.Path(folder) / name for name in ("float.onnx", "int8.onnx"))
        source.write_bytes(model.SerializeToString())
        quantization = quantize_onnx(
            source,
            target,
            calibration.images,
            method=calibration.method,
            progress=calibration.progress,
            symmetric=calibration.symmetric,
        )
        model = onnx.load(target)
        written = {
            **_facts(precision),
            "quantization": dataclasses.asdict(quantization),
            **_opset(model),
        }
        file.write_bytes(described(model, facts | written).SerializeToString())
    return written


def _opset(model: Any) -> dict[str, int]:
    """The manifest field for the version of ONNX's own operators."""
    return {"opset": next(each.version for each in model.opset_import if not each.domain)}


def _facts(precision: str) -> dict[str, Any]:
    """The manifest field for a precision other than the model's own."""
    return {"precision": PRECISION_NAMES[precision]} if precision in PRECISION_NAMES else {}


def _check_format(format: str, precision: str) -> None:
    if format not in PRECISIONS:
        raise ValueError(
            f"`format` must be one of {', '.join(PRECISIONS)}. Received: format={format!r}"
        )
    if precision not in PRECISIONS[format]:
        raise ValueError(
            f"The format {format} supports {', '.join(PRECISIONS[format])}. "
            f"Received: precision={precision!r}"
        )


def _check_interface(
    format: str, input_size: tuple[int, int] | None, batch_size: int | None, outputs: str
) -> None:
    if input_size is None and format == LITERT:
        raise ValueError(
            "LiteRT needs a fixed image size: set --input_size=HEIGHTxWIDTH (`input_size`)."
        )
    if input_size is None and _backend() == "torch":
        raise ValueError(
            "With Keras's backend torch, an export has a fixed image size: set "
            "--input_size=HEIGHTxWIDTH (`input_size`), or KERAS_BACKEND=tensorflow."
        )
    if batch_size is None and format == LITERT:
        raise ValueError(
            "LiteRT needs a fixed number of images per call: set --batch_size to at least 1 "
            "(`batch_size`)."
        )
    check_input_shape(input_size or (MINIMUM_SIZE, MINIMUM_SIZE), batch_size)
    if outputs not in OUTPUTS:
        raise ValueError(
            f"`outputs` must be one of {', '.join(OUTPUTS)}. Received: outputs={outputs!r}"
        )


def _check_calibration(
    format: str,
    precision: str,
    calibration: CalibrationImages | None,
    input_size: tuple[int, int] | None,
    outputs: str,
) -> None:
    if precision != "int8":
        return
    if calibration is None or not calibration.images:
        raise ValueError(
            "int8 is calibrated on real images, but none were given; name the data set with "
            "--dataset and --data_dir."
        )
    if input_size is None or outputs == LOGITS:
        raise ValueError(
            "int8 is calibrated for one image size and judged by class ids; set --input_size "
            f"and --output=class_ids or both. Received: input_size={input_size}, output={outputs}"
        )
    if format == LITERT and outputs != CLASS_IDS:
        raise ValueError(
            "LiteRT's int8 uses integers only, but logits are floats; leave --output unset. "
            f"Received: output={outputs}"
        )
