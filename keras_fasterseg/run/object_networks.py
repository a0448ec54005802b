"""Trained networks of video object segmentation in files."""

import pathlib
import zipfile

import keras

from keras_fasterseg.files import PathLike
from keras_fasterseg.run.artefacts import is_network
from keras_fasterseg.run.trained_networks import (
    Transfer,
    check_genotype,
    copy_layers,
    declared_class,
    load_declared,
    load_network,
    weights_by_layer,
)
from keras_fasterseg.video_objects.exported_objects import open_exported_objects
from keras_fasterseg.video_objects.network import ObjectNetwork
from keras_fasterseg.video_objects.object_runner import KerasObjectRunner, ObjectRunner


def load_object_network(path: pathlib.Path) -> ObjectNetwork:
    """Loads the network in a `network.keras` of `tools.train_video`; it may be untrusted.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file contains something else.
    """
    return load_declared(path, [ObjectNetwork])


def is_object_network(path: pathlib.Path) -> bool:
    """True if the file declares a network of video object segmentation."""
    try:
        name = declared_class(path)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile):
        return False
    return name == keras.saving.get_registered_name(ObjectNetwork)


def open_object_runner(artefact: PathLike, threads: int | None = None) -> ObjectRunner:
    """Opens a network of video object segmentation: its `network.keras` or an export of it.

    Args:
        artefact: The file, or the folder of the export.
        threads: Threads inside an operation of ONNX Runtime; other runtimes use their own number.

    Raises:
        FileNotFoundError: The artefact does not exist.
        RuntimeNotInstalledError: The runtime is not installed.
        ValueError: The artefact is something else.
    """
    path = pathlib.Path(artefact)
    if is_network(path):
        return KerasObjectRunner(load_object_network(path))
    return open_exported_objects(path, threads)


def initialize_encoder(network: ObjectNetwork, path: pathlib.Path) -> Transfer:
    """Copies the encoder's weights from a trained segmentation network, also its statistics.

    Args:
        network: A network of the same genotype, changed in place.
        path: The trained segmentation network's `network.keras`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a network of this package, or has another genotype.
    """
    trained = load_network(path)
    check_genotype(trained, network.genotype, path)
    return copy_layers(trained, weights_by_layer(network.encoder), ())
