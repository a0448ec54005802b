"""Converts an exported SavedModel with TF-TRT, so that TensorRT runs TensorFlow's operators."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_fasterseg.export.manifest import check_target, described_files
from keras_fasterseg.export.static_signatures import static_signatures
from keras_fasterseg.export.tftrt_converter import (
    INT8,
    InputFunction,
    TfTrtOptions,
    converted,
    save_converted,
)
from keras_fasterseg.export.tftrt_report import TfTrtReport, tftrt_report
from keras_fasterseg.files import PathLike, atomic_path, write_json
from keras_fasterseg.runtimes import tensorflow_device
from keras_fasterseg.runtimes.saved_model_format import (
    CLASS_IDS_SIGNATURE,
    INPUT_NAME,
    METADATA_FILE,
    OUTPUT_NAMES,
    artefact_digest,
    file_digests,
    read_metadata,
)
from keras_fasterseg.runtimes.saved_model_runner import input_shape, load_saved_model
from keras_fasterseg.runtimes.signature import check_input_shape
from keras_fasterseg.runtimes.tftrt_graph import PRECISIONS, check_tftrt, linked_tensorrt
from keras_fasterseg.version import __version__

# More than the network needs at 1024x2048; TensorRT allocates what its fastest kernels need.
WORKSPACE_BYTES = 4 << 30


def convert_saved_model(
    source: PathLike,
    target: PathLike,
    *,
    precision: str = "fp32",
    input_size: tuple[int, int] | None = None,
    batch_size: int = 1,
    calibration_images: Sequence[np.ndarray] | None = None,
    minimum_segment_size: int = 3,
    workspace_bytes: int = WORKSPACE_BYTES,
    overwrite: bool = False,
) -> TfTrtReport:
    """Converts the SavedModel at `source` and builds its TensorRT engines for this GPU.

    The result has the signatures of the source, for one image size. With known shapes, TF-TRT
    makes one engine of the network; with free sizes, it makes nineteen that hold less than half of
    the operators. The engines are built before the SavedModel is saved, so no request waits for
    them. They run on the GPU model and the TensorRT version that they were built with; elsewhere
    TensorFlow rebuilds them at the first call.

    `assets.extra/metadata.json` is copied from the source, with `precision` (`float32`, `float16`
    or `int8`), `input_size`, `batch_size` and the digests of the new files. Its `tftrt` holds the
    options, the report of every signature, versions, the GPU and the digest of the source.

    Args:
        source: A SavedModel of this package, such as `export/student/1`.
        target: The folder to write.
        precision: The least precise type that TensorRT may compute in: `fp32`, `fp16` or `int8`.
        input_size: Height and width of the images. None uses the fixed size of `source`, or else
            the size of the calibration images.
        batch_size: Images per call.
        calibration_images: Only for `int8`, and required for it: real images, uint8 `(height,
            width, 3)`, all of `input_size`. TensorRT finds the activation ranges on them. A hundred
            are enough; an incomplete last batch is left out.
        minimum_segment_size: Minimum number of operators in an engine.
        workspace_bytes: Maximum GPU memory of an engine's kernel, in bytes.
        overwrite: Whether to replace an export already at `target`.

    Returns:
        Report on the operators of `serving_default`.

    Raises:
        FileExistsError: `target` exists and `overwrite` is off, or `target` holds something other
            than an export, which is never replaced.
        RuntimeNotInstalledError: TF-TRT cannot be used here.
        ValueError: `source` is not a SavedModel of this package or is already converted, an option
            is out of range, calibration images are missing, too few or of another size, or TensorRT
            builds no engine for the network.
    """
    source, target = pathlib.Path(source), pathlib.Path(target)
    options = TfTrtOptions(precision, minimum_segment_size, workspace_bytes)
    options.check()
    _check_calibration(precision, calibration_images, batch_size)
    check_target(target, overwrite)
    metadata = read_metadata(source)
    if "tftrt" in metadata:
        raise ValueError(
            f"{source} was already converted by TF-TRT; use the SavedModel that it was made from."
        )
    check_tftrt()
    loaded = load_saved_model(source)
    size = _size(source, input_shape(loaded), input_size, batch_size, calibration_images)
    batches = _batches(calibration_images, size, batch_size)
    with atomic_path(target) as temporary:
        with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder:
            static = pathlib.Path(folder) / "static"
            signatures = static_signatures(loaded, size, batch_size)
            tf.saved_model.save(tf.Module(), str(static), signatures)
            converters = {name: converted(static, name, options, batches) for name in OUTPUT_NAMES}
            reports = {name: tftrt_report(each.graph) for name, each in converters.items()}
            _check_segments(source, reports, options)
            for converter in converters.values():
                converter.build()
            save_converted(converters, temporary)
        facts = {
            **metadata,
            "format": "tftrt",
            "precision": PRECISIONS[precision.upper()],
            "input_size": list(size),
            "batch_size": batch_size,
            "tftrt": {
                **dataclasses.asdict(options),
                "calibration_images": 0 if calibration_images is None else len(calibration_images),
                "reports": {name: report.to_json() for name, report in reports.items()},
                "device": tensorflow_device.device_name(),
                "versions": {
                    "keras_fasterseg": __version__,
                    "tensorflow": tf.__version__,
                    "tensorrt": linked_tensorrt(),
                },
                "source_sha256": artefact_digest(source),
            },
        }
        files = described_files(temporary, file_digests(temporary))
        write_json(temporary / METADATA_FILE, {**facts, **files})
    return reports[CLASS_IDS_SIGNATURE]


def _check_segments(
    source: pathlib.Path, reports: Mapping[str, TfTrtReport], options: TfTrtOptions
) -> None:
    if not all(report.segments for report in reports.values()):
        raise ValueError(
            f"TF-TRT found no segment of at least {options.minimum_segment_size} operators in "
            f"{source} that TensorRT can run; lower minimum_segment_size."
        )


def _check_calibration(
    precision: str, images: Sequence[np.ndarray] | None, batch_size: int
) -> None:
    if precision != INT8:
        if images is not None:
            raise ValueError(
                f"Only precision={INT8!r} uses calibration_images. Received: calibration_images "
                f"with precision={precision!r}"
            )
        return
    count = len(images) if images is not None else 0
    if count < max(batch_size, 1):
        raise ValueError(
            f"precision={INT8!r} is calibrated on at least one batch of real images; pass about a "
            f"hundred training images as calibration_images. Received: {count} for "
            f"batch_size={batch_size}"
        )


def _size(
    source: pathlib.Path,
    own: tuple[int | None, ...],
    input_size: tuple[int, int] | None,
    batch_size: int,
    calibration_images: Sequence[np.ndarray] | None,
) -> tuple[int, int]:
    """Height and width of the images for the converted SavedModel."""
    own_batch, own_height, own_width, _ = own
    if input_size is None and own_height is not None and own_width is not None:
        input_size = (own_height, own_width)
    if input_size is None and calibration_images is not None:
        height, width = np.shape(calibration_images[0])[:2]
        input_size = (height, width)
    if input_size is None:
        raise ValueError(
            f"{source} accepts images of any size, but engines are built for one: set "
            "input_size=(height, width)."
        )
    check_input_shape(input_size, batch_size)
    received = (batch_size, *input_size)
    if any(mine not in (None, given) for mine, given in zip(own[:3], received, strict=True)):
        raise ValueError(
            f"{source} takes {own_batch} images of {own_height}x{own_width} per call. Received: "
            f"batch_size={batch_size}, input_size={input_size}"
        )
    return (input_size[0], input_size[1])


def _batches(
    images: Sequence[np.ndarray] | None, size: tuple[int, int], batch_size: int
) -> InputFunction:
    """Inputs for the converter: the calibration images, or zeros if it only builds engines."""
    shape = (*size, 3)
    if images is None:
        return lambda: iter([{INPUT_NAME: np.zeros((batch_size, *shape), np.uint8)}])
    for image in images:
        if np.shape(image) != shape or image.dtype != np.uint8:
            raise ValueError(
                f"Every calibration image must be uint8 of shape {shape}. Received: "
                f"{image.dtype}, shape {np.shape(image)}"
            )

    def batches() -> Iterator[dict[str, np.ndarray]]:
        for start in range(0, len(images) - batch_size + 1, batch_size):
            yield {INPUT_NAME: np.stack([images[start + i] for i in range(batch_size)])}

    return batches
