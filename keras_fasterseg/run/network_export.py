"""Export of a network in memory, in any format, without a proof.

Backend switch: only TensorFlow writes all formats; PyTorch writes ONNX and OpenVINO.
"""

import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import keras
from absl import logging

from keras_fasterseg.export.manifest import Palette
from keras_fasterseg.export.options import (
    ENGINE_FORMATS,
    FREE_BATCH,
    PRECISIONS,
    CalibrationImages,
)
from keras_fasterseg.runtimes.artefact_format import ONNX, OPENVINO, SAVED_MODEL
from keras_fasterseg.runtimes.optional_import import require_tensorflow
from keras_fasterseg.runtimes.signature import CLASS_IDS
from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.export import TFTRT, ExportSettings
from keras_fasterseg.spaces.network import SegmentationNetwork


def export_network(
    network: SegmentationNetwork,
    target: pathlib.Path,
    class_names: tuple[str, ...] | None = None,
    overwrite: bool = False,
    *,
    palette: Palette | None = None,
    settings: ExportSettings | None = None,
    calibration: CalibrationImages | None = None,
) -> pathlib.Path:
    """Exports a network in memory as `export` does, but without a proof."""
    settings = settings or ExportSettings()
    check_export(settings)
    # Imported here: most need TensorFlow.
    from keras_fasterseg.export.engine_file import export_engine
    from keras_fasterseg.export.graph_file import export_graph_file

    model: keras.Model = network.without_auxiliary_heads()
    facts = network_facts(network, class_names, palette)
    common: dict[str, Any] = {
        "num_classes": network.num_classes,
        "mean": network.mean,
        "std": network.std,
        "class_names": facts.pop("class_names"),
        "palette": facts.pop("colors"),
        "metadata": facts,
        "overwrite": overwrite,
    }
    if settings.format == SAVED_MODEL:
        from keras_fasterseg.export.saved_model import export_saved_model

        return export_saved_model(model, target, input_size=settings.input_size, **common)
    if settings.format == TFTRT:
        return _export_tftrt(model, target, settings, calibration, common)
    write = export_engine if settings.format in ENGINE_FORMATS else export_graph_file
    return write(
        model,
        target,
        format=settings.format,
        input_size=settings.input_size,
        batch_size=settings.batch_size or None,
        outputs=settings.output or CLASS_IDS,
        precision=settings.precision,
        calibration=calibration,
        **common,
    )


def network_facts(
    network: SegmentationNetwork,
    class_names: Sequence[str] | None = None,
    palette: Palette | None = None,
) -> dict[str, Any]:
    """Returns the facts that a network records, for a manifest.

    Args:
        network: The network.
        class_names: Names of the classes, used if the network records none.
        palette: RGB colours of the classes, used if the network records none.
    """
    classes = network.classes
    if classes is not None and classes.colors:
        palette = classes.colors
    return {
        "genotype": network.genotype.to_json(),
        "class_names": class_names if classes is None else list(classes.names),
        "colors": None if palette is None else [[*map(int, color)] for color in palette],
        "ignored_labels": None if classes is None else list(classes.ignored),
        "trained_on": network.trained_on,
    }


def _export_tftrt(
    model: keras.Model,
    target: pathlib.Path,
    settings: ExportSettings,
    calibration: CalibrationImages | None,
    common: dict[str, Any],
) -> pathlib.Path:
    from keras_fasterseg.export.saved_model import export_saved_model
    from keras_fasterseg.export.tftrt import convert_saved_model

    with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder:
        source = export_saved_model(
            model, pathlib.Path(folder) / "1", **{**common, "overwrite": False}
        )
        report = convert_saved_model(
            source,
            target,
            precision=settings.precision,
            input_size=settings.input_size,
            batch_size=settings.batch_size,
            calibration_images=None
            if calibration is None
            else [image for batch in calibration.images for image in batch],
            overwrite=common["overwrite"],
        )
    logging.info("TF-TRT: %s", report.summary())
    return target


def check_export(settings: ExportSettings) -> None:
    """Raises the errors of `export_network` that depend on nothing but its settings.

    Raises:
        RuntimeNotInstalledError: Keras does not run on a backend that can write the format.
        ValueError: A setting is out of range, or the format does not support it.
    """
    check_settings(settings)
    if not (settings.format in (ONNX, OPENVINO) and keras.backend.backend() == "torch"):
        require_tensorflow(f"Exporting to {settings.format}")
    if settings.format == TFTRT:
        require(
            settings.output in (None, "both"),
            "A SavedModel always has both outputs, with TF-TRT too; leave --output unset. "
            f"Received: --output={settings.output}",
        )
    require(
        settings.batch_size > 0 or settings.format in FREE_BATCH,
        f"{settings.format} needs a fixed batch size: set --batch_size to at least 1. Only "
        f"{', '.join(FREE_BATCH)} accept any batch size. Received: --batch_size=0",
    )
    require(
        settings.precision != "int8" or settings.input_size is not None or settings.format == TFTRT,
        "int8 is calibrated for one image size; set --input_size=HEIGHTxWIDTH.",
    )
    if settings.format != SAVED_MODEL:
        return
    require(
        settings.batch_size in (0, 1) and settings.output in (None, "both"),
        "A SavedModel accepts any batch size and has both outputs; leave --batch_size and "
        f"--output unset, or choose one of {', '.join(PRECISIONS)}.",
    )
    require(
        settings.precision == "fp32",
        "A SavedModel computes in fp32; for another precision choose one of "
        f"{', '.join(PRECISIONS)}. Received: --precision={settings.precision}",
    )
