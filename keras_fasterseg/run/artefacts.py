"""Runners for exports, trained networks and genotypes."""

import dataclasses
import pathlib
import tempfile
import weakref

import keras

from keras_fasterseg.files import PathLike
from keras_fasterseg.run.network_export import export_network, network_facts
from keras_fasterseg.run.trained_networks import load_network
from keras_fasterseg.runtimes.artefact_format import (
    SAVED_MODEL,
    Artefact,
    find_artefact,
    folder_of_part,
    suffixes,
)
from keras_fasterseg.runtimes.backend_device import backend_device
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.runtimes.keras_runner import KerasRunner
from keras_fasterseg.runtimes.registry import KERAS, Runtime, check_runtime, own_runtime
from keras_fasterseg.settings.export import TFTRT, ExportSettings
from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.spaces.registry import preset_names, resolve_genotype, space_of

_SEED = 0


def open_artefact(
    artefact: PathLike,
    runtime: str | None = None,
    *,
    threads: int | None = None,
    input_size: tuple[int, int] | None = None,
    batch_size: int = 1,
    num_classes: int = 19,
    outputs: str = "both",
) -> Runner:
    """Opens a runner for `artefact`, converting it in a temporary folder if the runtime needs that.

    Args:
        artefact: The folder of a SavedModel or of another export, a graph file (`.onnx`, `.xml`,
            `.tflite`, `.plan`, `.rtx`), a `network.keras`, or a genotype. A genotype is a preset's
            name or a JSON file; a network with random weights (seed 0) is built from it.
        runtime: A name of `RUNTIMES`. Default: the artefact's own runtime; Keras for a network.
        threads: Threads inside an operation. Default: the runtime chooses.
        input_size: Height and width of the images. Needed for networks and genotypes in every
            runtime but Keras, SavedModel and XLA.
        batch_size: Images per call; used in the same cases as `input_size`.
        num_classes: Number of classes of a network built from a genotype.
        outputs: Outputs of a converted network: `class_ids`, `logits` or `both`.

    Returns:
        A runner. Its temporary folder, if it has one, is removed together with it.

    Raises:
        FileNotFoundError: The artefact does not exist.
        RuntimeNotInstalledError: The runtime or its converter is not installed.
        ValueError: The artefact is something else, the runtime is unknown or cannot run it, or
            an option is out of its range.
    """
    if is_network(artefact):
        chosen = check_runtime(runtime or KERAS)
        if chosen.runs_on_backend:
            # Building the network starts the backend; TensorFlow and JAX then no longer accept a
            # thread count.
            backend_device().request_threads(threads)
        network = _network(artefact, num_classes)
        return _open_network(network, chosen, threads, input_size, batch_size, outputs)
    found = find_artefact(artefact)
    return open_export(found, check_runtime(runtime or own_runtime(found.format).name), threads)


def open_export(export: Artefact, runtime: Runtime, threads: int | None = None) -> Runner:
    """Opens a runner for `export`; raises ValueError if `runtime` cannot run its format."""
    if runtime.load is None or export.format not in runtime.formats:
        raise ValueError(
            f"The runtime {runtime.name} runs {' and '.join(runtime.formats)}, but {export.path} "
            f"is {export.format}. Exports are not converted: give the network.keras that it was "
            "exported from."
        )
    return runtime.load(export.path, threads)


def is_network(artefact: PathLike) -> bool:
    """True if `artefact` names a network or a genotype rather than an export."""
    if str(artefact) in preset_names():
        return True
    path = pathlib.Path(artefact)
    is_export = path.is_dir() or path.suffix in suffixes() or folder_of_part(path) is not None
    return not is_export


def _network(artefact: PathLike, num_classes: int) -> SegmentationNetwork:
    path = pathlib.Path(artefact)
    if str(artefact) not in preset_names() and path.suffix != ".json":
        return load_network(path)
    genotype = resolve_genotype(str(artefact))
    keras.utils.set_random_seed(_SEED)
    return space_of(genotype).build(genotype, num_classes)


def _open_network(
    network: SegmentationNetwork,
    runtime: Runtime,
    threads: int | None,
    input_size: tuple[int, int] | None,
    batch_size: int,
    outputs: str,
) -> Runner:
    target_format = TFTRT if runtime.name == TFTRT else runtime.formats[0]
    if runtime.load is None:
        model = network.without_auxiliary_heads()
        metadata = {"num_classes": network.num_classes, **network_facts(network)}
        return KerasRunner(model, network.mean, network.std, threads, metadata)
    settings = ExportSettings(target_format)
    if target_format != SAVED_MODEL:
        settings = dataclasses.replace(
            settings,
            input_size=input_size,
            batch_size=batch_size,
            output=None if target_format == TFTRT else outputs,
        )
    folder = tempfile.TemporaryDirectory(prefix="keras_fasterseg.")
    try:
        path = pathlib.Path(folder.name) / "export"
        export_network(network, path, settings=settings)
        runner = runtime.load(path, threads)
    except BaseException:
        folder.cleanup()
        raise
    weakref.finalize(runner, folder.cleanup)
    return runner
