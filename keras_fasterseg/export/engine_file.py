"""Writes a network as a TensorRT or TensorRT-RTX engine."""

import dataclasses
import pathlib
import tempfile
from typing import Any

import keras

from keras_fasterseg.export.graph_file import export_graph_file
from keras_fasterseg.export.manifest import check_target, described_files
from keras_fasterseg.export.options import PRECISION_NAMES, CalibrationImages
from keras_fasterseg.export.tensorrt import build_engine
from keras_fasterseg.files import PathLike, atomic_path, read_json, write_json
from keras_fasterseg.runtimes.artefact_format import (
    GRAPH_FILES,
    MANIFEST,
    ONNX,
    graph_digests,
)
from keras_fasterseg.runtimes.tensorrt_module import tensorrt_module


def export_engine(
    model: keras.Model,
    path: PathLike,
    *,
    format: str,
    precision: str = "fp32",
    calibration: CalibrationImages | None = None,
    overwrite: bool = False,
    **options: Any,
) -> pathlib.Path:
    """Exports `model` to ONNX and builds an engine from it, see `build_engine`.

    The manifest is that of the ONNX export, with the engine's `format` and `precision`. Its
    `engine` holds the facts that `build_engine` returns.

    Args:
        model: See `export_graph_file`.
        path: The folder to write.
        format: `tensorrt` (`model.plan`) or `tensorrt_rtx` (`model.rtx`).
        precision: `fp32`, `fp16` or `int8`.
        calibration: Calibration images, required for `int8`.
        overwrite: Whether to replace an exported network already at `path`.
        **options: Options of `export_graph_file`; `input_size` is required.

    Returns:
        `path`. The write is atomic: if it fails, the previous contents stay.

    Raises:
        FileExistsError: See `export_graph_file`.
        RuntimeNotInstalledError: This flavour of TensorRT, or the ONNX converter, is not installed.
        ValueError: See `export_graph_file` and `build_engine`; or `input_size` is missing.
    """
    path = pathlib.Path(path)
    # Checked first: converting the network takes much longer.
    tensorrt_module(format, "Building an engine")
    if options.get("input_size") is None:
        raise ValueError(
            "An engine is built for one image size: set --input_size=HEIGHTxWIDTH (`input_size`)."
        )
    check_target(path, overwrite)
    if calibration is not None:
        calibration = dataclasses.replace(calibration, symmetric=True)
    with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder:
        # For fp16, the ONNX file stays in float32: the TensorRT version decides how to convert it.
        graph = export_graph_file(
            model,
            pathlib.Path(folder) / "onnx",
            format=ONNX,
            precision="int8" if precision == "int8" else "fp32",
            calibration=calibration,
            **options,
        )
        manifest = read_json(graph / MANIFEST)
        with atomic_path(path) as temporary:
            temporary.mkdir()
            file = temporary / GRAPH_FILES[format]
            facts = build_engine(
                graph / GRAPH_FILES[ONNX], file, flavour=format, precision=precision
            )
            write_json(
                temporary / MANIFEST,
                {
                    **manifest,
                    "format": format,
                    "precision": PRECISION_NAMES.get(precision, manifest["precision"]),
                    "engine": facts,
                    **described_files(temporary, graph_digests(file)),
                },
            )
    return path
