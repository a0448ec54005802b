"""Job: export a trained network to run on uint8 images, and prove that the export matches it."""

import dataclasses
import pathlib
import tempfile

import numpy as np
from absl import logging

from keras_fasterseg.classes import check_same_classes
from keras_fasterseg.data.label_encodings import check_label_encodings
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.export.manifest import Palette, check_target, extend_manifest
from keras_fasterseg.export.options import ENGINE_FORMATS, CalibrationImages
from keras_fasterseg.export.proof import Proof, check_proof
from keras_fasterseg.export.proving import prove
from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.run.artefacts import open_export
from keras_fasterseg.run.network_export import check_export, export_network
from keras_fasterseg.run.proof_images import drawn_images, labelled_images, stretch_warning
from keras_fasterseg.run.trained_networks import check_network_classes, load_network
from keras_fasterseg.runtimes.artefact_format import ONNX, SAVED_MODEL, find_artefact
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.runtimes.registry import check_runtime, own_runtime
from keras_fasterseg.runtimes.signature import LOGITS
from keras_fasterseg.setting import Size, require
from keras_fasterseg.settings.export import TFTRT, ExportSettings
from keras_fasterseg.spaces.network import SegmentationNetwork

FEW_CALIBRATION_IMAGES = 16
"""With fewer, int8 warns: three quarters of the images determine the ranges of activations."""


def export(
    network: PathLike,
    target: PathLike,
    settings: ExportSettings | None = None,
    source: SegmentationSource | None = None,
    *,
    class_names: tuple[str, ...] | None = None,
    palette: Palette | None = None,
    train_split: str = "train",
    val_split: str = "val",
    overwrite: bool = False,
    command: str | None = None,
    progress: bool = True,
) -> Proof | None:
    """Exports `network.keras` to the folder `target`, and proves that the export matches it.

    The export's manifest holds the proof, the genotype, sizes, digests, versions and the command.
    An export that fails its proof is not written.

    Args:
        network: The trained network.
        target: Folder to write. For a SavedModel it should end in a number, as TF Serving expects.
        settings: Format and proof of the export.
        source: The data set. It names the classes and provides images for proof and calibration.
        class_names: Names of all classes, if there is no data set. Names that the network records
            take precedence.
        palette: RGB colours of all classes, likewise.
        train_split: Split for the calibration.
        val_split: Split for the proof.
        overwrite: Whether to replace an existing export.
        command: The command line, for the record.
        progress: Whether to show progress bars.

    Returns:
        The proof; None if `settings` ask for no proof images.

    Raises:
        FileNotFoundError: The network does not exist.
        FileExistsError: The target exists.
        ValueError: The file is not a network of this package, the data set has other classes or
            inconsistent labels, the format does not support an option, or the export fails its
            proof.
    """
    settings = settings or ExportSettings()
    target = pathlib.Path(target)
    check_export(settings)
    check_target(target, overwrite)
    trained = load_network(pathlib.Path(network))
    if source is not None:
        check_network_classes(trained, f"The network {network}", source)
    if class_names is not None:
        known = None if trained.classes is None else trained.classes.names
        whose = f"The network {network}"
        check_same_classes(known, trained.num_classes, whose, class_names, "that was named")
    if source is not None:
        class_names, palette = source.class_names, source.palette
        # Without a proof, the split does not have to exist.
        is_read = settings.proof_images > 0 or val_split in source.split_names
        if settings.input_size is not None and is_read:
            _warn_of_stretch(source, val_split, settings.input_size, settings.proof_images or 1)
        if settings.proof_images:
            check_label_encodings(source, source.samples(val_split))
    calibration = None
    if settings.precision == "int8":
        calibration = _calibration(settings, source, train_split, progress)
    with atomic_path(target) as temporary:
        logging.info("Converting the network to %s (%s) ...", settings.format, settings.precision)
        export_network(
            trained,
            temporary,
            class_names,
            palette=palette,
            settings=settings,
            calibration=calibration,
        )
        proof = None
        if settings.proof_images:
            proof = _proof(trained, temporary, settings, source, val_split, progress)
            check_proof(proof, settings.precision, settings.allow_accuracy_drop)
            extend_manifest(temporary, {"proof": proof.to_json()})
        else:
            logging.warning("No proof: nothing shows that the export matches the network.")
        if command is not None:
            extend_manifest(temporary, {"command": command})
    return proof


def _warn_of_stretch(source: SegmentationSource, split: str, size: Size, count: int) -> None:
    warning = stretch_warning(source, split, size, count)
    if warning is not None:
        logging.warning("%s", warning)


def _calibration(
    settings: ExportSettings, source: SegmentationSource | None, split: str, progress: bool
) -> CalibrationImages:
    if source is None:
        raise ValueError(
            "int8 needs real images for its calibration; set --dataset and --data_dir."
        )
    images = [
        each.image
        for each in labelled_images(source, split, settings.calibration_images, settings.input_size)
    ]
    if len(images) < FEW_CALIBRATION_IMAGES:
        logging.warning(
            "int8 is calibrated on only %d images, and other images may exceed their ranges of "
            "activations; set --calibration_images to at least %d.",
            len(images),
            FEW_CALIBRATION_IMAGES,
        )
    # TF-TRT forms batches itself.
    batch_size = 1 if settings.format == TFTRT else settings.batch_size or 1
    require(
        settings.format == TFTRT or len(images) >= 2 * batch_size,
        "int8 needs at least one batch of images for calibration and another to check it: with "
        f"--batch_size={settings.batch_size}, at least {2 * batch_size} images. Received: "
        f"{len(images)}; increase --calibration_images.",
    )
    # Images that do not fill the last batch are left out.
    starts = range(0, len(images) - batch_size + 1, batch_size)
    batches = [np.stack(images[start : start + batch_size]) for start in starts]
    return CalibrationImages(batches, settings.calibration_method, progress)


def _proof(
    network: SegmentationNetwork,
    path: pathlib.Path,
    settings: ExportSettings,
    source: SegmentationSource | None,
    split: str,
    progress: bool,
) -> Proof:
    model = network.without_auxiliary_heads()
    count, size = settings.proof_images, settings.input_size
    with tempfile.TemporaryDirectory(prefix="keras_fasterseg.") as folder:
        logging.info("Converted. Preparing the proof ...")
        if source is None:
            of, samples = "drawn street scenes", drawn_images(count, size)
        else:
            of, samples = f"{source.name} {split}", labelled_images(source, split, count, size)
            count = min(count, len(source.samples(split)))
        runner, by, run = _runner(network, path, settings, pathlib.Path(folder) / "stand_in")
        twin = _logits_twin(network, run, pathlib.Path(folder) / "logits")
        return prove(
            runner,
            KerasRunner(model, network.mean, network.std),
            samples,
            of=of,
            by=by,
            num_classes=network.num_classes,
            logits_runner=None if twin is None else _open(twin),
            total=count,
            progress=progress,
        )


def _runner(
    network: SegmentationNetwork, path: pathlib.Path, settings: ExportSettings, folder: pathlib.Path
) -> tuple[Runner, str, ExportSettings]:
    """The runner for the proof of the export at `path`, its name and the settings of its file."""
    try:
        runner = _open(path)
        runner.load()
        return runner, str(runner.describe()["runtime"]), settings
    except (RuntimeNotInstalledError, OSError) as error:
        # TensorRT-RTX can build engines for GPUs of other machines.
        if settings.format not in ENGINE_FORMATS or settings.precision == "int8":
            raise
        logging.warning(
            "The engine cannot run here, so the proof uses the ONNX model behind it: %s", error
        )
    stand_in = dataclasses.replace(settings, format=ONNX)
    runner = _open(export_network(network, folder, settings=stand_in))
    return runner, "onnxruntime, of the ONNX that the engine was built of", stand_in


def _logits_twin(
    network: SegmentationNetwork, settings: ExportSettings, path: pathlib.Path
) -> pathlib.Path | None:
    """Writes the same export with logits, if it has none itself.

    int8 is judged by labels only. An engine takes minutes to build, so an engine that runs here is
    judged by its own outputs.
    """
    has_logits = settings.format in (SAVED_MODEL, TFTRT) or settings.output in (LOGITS, "both")
    if has_logits or settings.precision == "int8" or settings.format in ENGINE_FORMATS:
        return None
    return export_network(network, path, settings=dataclasses.replace(settings, output=LOGITS))


def _open(path: pathlib.Path) -> Runner:
    artefact = find_artefact(path)
    is_tftrt = "tftrt" in artefact.metadata
    runtime = check_runtime(TFTRT) if is_tftrt else own_runtime(artefact.format)
    return open_export(artefact, runtime)
