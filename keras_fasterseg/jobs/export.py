"""Job: a trained network as an artefact that takes uint8 images, and the proof that it is one."""

import dataclasses
import pathlib
import tempfile

import numpy as np
from absl import logging

from keras_fasterseg.classes import check_same_classes
from keras_fasterseg.data.label_encodings import check_label_encodings
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.export.graph_file import CalibrationImages
from keras_fasterseg.export.manifest import Palette, check_target, extend_manifest
from keras_fasterseg.export.options import ENGINE_FORMATS
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
"""Below it int8 warns: three quarters of the images give the ranges of activations."""


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
    """Exports `network.keras` to the folder `target` and proves that it answers alike.

    The proof, the genotype, sizes, digests, versions and the command are in the export's manifest.
    An export that fails its proof is not written.

    Args:
        network: The trained network.
        target: For a SavedModel it had best end in a number, as TF Serving wants.
        settings: What to write and how to prove it.
        source: The data set, which names the classes and has images to prove and calibrate by.
        class_names: A name for every class where there is no data set. What the network records
            comes first.
        palette: The RGB colour of every class, likewise.
        train_split: Its split for calibration.
        val_split: Its split for the proof.
        overwrite: Whether an export that is there already is replaced.
        command: The command line, for the record.
        progress: Whether to show progress bars.

    Returns:
        The proof; None if no images were asked for.

    Raises:
        FileNotFoundError: There is no such network.
        FileExistsError: The target exists.
        ValueError: The file is not a network of this package, the data set has other classes or
            labels that do not go together, an option does not go with the format, or the export is
            not good enough.
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
        # Without a proof the split need not be there.
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
            logging.warning("Nothing shows that the export answers as the network does.")
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
            "int8 is calibrated on real images, and there are none; name the data set with "
            "--dataset and --data_dir."
        )
    images = [
        each.image
        for each in labelled_images(source, split, settings.calibration_images, settings.input_size)
    ]
    if len(images) < FEW_CALIBRATION_IMAGES:
        logging.warning(
            "int8 is calibrated on %d images only, and the ranges of activations in others may be "
            "larger; give %d or more with --calibration_images.",
            len(images),
            FEW_CALIBRATION_IMAGES,
        )
    # TF-TRT makes batches itself.
    batch_size = 1 if settings.format == TFTRT else settings.batch_size or 1
    require(
        settings.format == TFTRT or len(images) >= 2 * batch_size,
        "int8 is calibrated on one batch of images at least and judged by another: with "
        f"--batch_size={settings.batch_size} these are {2 * batch_size} images. Received: "
        f"{len(images)}; give more --calibration_images.",
    )
    # Those that do not fill a last batch are left out.
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
    """The runner of the export at `path`, its name, and the settings of the file it runs."""
    try:
        runner = _open(path)
        runner.load()
        return runner, str(runner.describe()["runtime"]), settings
    except (RuntimeNotInstalledError, OSError) as error:
        # TensorRT-RTX builds engines for GPUs that are elsewhere.
        if settings.format not in ENGINE_FORMATS or settings.precision == "int8":
            raise
        logging.warning("The engine cannot run here, so the ONNX behind it is proven: %s", error)
    stand_in = dataclasses.replace(settings, format=ONNX)
    runner = _open(export_network(network, folder, settings=stand_in))
    return runner, "onnxruntime, of the ONNX that the engine was built of", stand_in


def _logits_twin(
    network: SegmentationNetwork, settings: ExportSettings, path: pathlib.Path
) -> pathlib.Path | None:
    """The same export with logits, where it has none itself.

    int8 is judged by labels alone. An engine takes minutes to build, so that one which runs itself
    is judged by its own outputs.
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
