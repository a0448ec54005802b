"""Trained networks in files: loading, checks, and initial weights for another training."""

import dataclasses
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from absl import logging

from keras_fasterseg.classes import check_same_classes
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import parse_json
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.cost import network_work
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.spaces.registry import space_class, space_names

_CONFIG = "config.json"
_MEMBERS = {_CONFIG, "metadata.json", "model.weights.h5"}
_CLASSIFIER = "/classifier"
# Configurations have about ten kilobytes, and weights hardly compress.
_LARGEST_CONFIG = 4 << 20
_LARGEST_RATIO = 20


def load_network(path: pathlib.Path) -> SegmentationNetwork:
    """Loads the network in a `network.keras` file.

    The file may be untrusted. Before Keras opens it, its contents are checked: it must declare a
    network of this package and store its weights as HDF5, which contains no code.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file contains something else.
    """
    # Importing the classes also registers them with Keras.
    return load_declared(path, [space_class(name).network for name in space_names()])


def load_declared(path: pathlib.Path, classes: Sequence[type]) -> Any:
    """Loads a `network.keras` that declares one of `classes`; see `load_network`."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"The trained network {path} does not exist.")
    try:
        received = declared_class(path)
        known = [keras.saving.get_registered_name(each) for each in classes]
        if received not in known:
            raise ValueError(f"it declares {received!r}, not {' or '.join(map(repr, known))}")
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is not a trained network of this package: {error}. Give a network.keras "
            "written by a training."
        ) from error


def describe_network(path: pathlib.Path, input_size: tuple[int, int]) -> dict[str, Any]:
    """Returns genotype, parameters and multiply-accumulates of a trained network when deployed."""
    network = load_network(path)
    weights = network.without_auxiliary_heads().trainable_weights
    return {
        "genotype": network.genotype.id,
        "branches": network.genotype.summary().get("branch_scales", []),
        "input_size": list(input_size),
        "parameters_inference": int(sum(np.prod(weight.shape) for weight in weights)),
        "macs": network_work(network.genotype, input_size, network.num_classes).macs,
    }


def check_network_classes(
    network: SegmentationNetwork, whose: str, source: SegmentationSource
) -> None:
    """Raises `ValueError` unless a network has the classes of a data set, in the same order.

    Networks written by earlier versions record no classes; only their number is compared.
    """
    names = None if network.classes is None else network.classes.names
    check_same_classes(names, network.num_classes, whose, source.class_names, source.name)


@dataclasses.dataclass(frozen=True)
class Transfer:
    """Paths of the layers with weights: those copied, and those left at their initial weights."""

    copied: tuple[str, ...]
    anew: tuple[str, ...]

    def sentence(self, path: pathlib.Path) -> str:
        """Returns a sentence for the log."""
        rest = f"; random weights in {', '.join(self.anew)}" if self.anew else ""
        total = len(self.copied) + len(self.anew)
        return f"{len(self.copied)} of {total} layers start with the weights of {path}{rest}."


def check_genotype(trained: SegmentationNetwork, genotype: Genotype, path: pathlib.Path) -> None:
    """Raises `ValueError` unless the network from the file `path` has this genotype."""
    require(
        trained.genotype == genotype,
        f"{path} is a network of genotype {trained.genotype.id}, but genotype {genotype.id} is to "
        "be trained; give a network of the same genotype, or train the genotype of the file.",
    )


def initialize_network(
    network: SegmentationNetwork, path: pathlib.Path, *, new_heads: bool = False
) -> Transfer:
    """Copies the weights of a trained network into `network`, layer by layer where shapes match.

    If the number of classes differs, the last convolution of every head keeps its weights. With
    the same classes everything is copied, including the statistics of batch normalisation.

    Args:
        network: A network of the same genotype, changed in place.
        path: The trained network's `network.keras`.
        new_heads: Whether the last convolutions keep their weights, whatever the classes.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a network of this package, or has another genotype. Also if it
            has the same number of other classes and `new_heads` is false. `network` is unchanged.
    """
    trained = load_network(path)
    check_genotype(trained, network.genotype, path)
    if not new_heads and network.classes is not None:
        check_initial_classes(trained, network.classes.names, path)
    if trained.num_classes != network.num_classes:
        logging.warning(
            "%s has %d classes, but the network to be trained has %d: the last convolutions of "
            "its heads start with random weights.",
            path,
            trained.num_classes,
            network.num_classes,
        )
    layers = weights_by_layer(network)
    skipped = [layer for layer in layers if new_heads and layer.endswith(_CLASSIFIER)]
    return copy_layers(trained, layers, skipped)


def copy_layers(
    trained: keras.Model, layers: dict[str, list[keras.Variable]], skipped: Sequence[str]
) -> Transfer:
    """Copies the weights of a trained network, layer by layer where shapes match.

    Args:
        trained: The trained network.
        layers: Weights of the layers to change, by path within their network: see
            `weights_by_layer`.
        skipped: Paths of layers that keep their weights.
    """
    sources = weights_by_layer(trained)
    copied, anew = [], []
    for layer, weights in layers.items():
        values = [] if layer in skipped else sources.get(layer, [])
        if [weight.shape for weight in weights] == [value.shape for value in values]:
            for weight, value in zip(weights, values, strict=True):
                weight.assign(value)
            copied.append(layer)
        else:
            anew.append(layer)
    return Transfer(tuple(copied), tuple(anew))


def check_initial_classes(
    trained: SegmentationNetwork, class_names: Sequence[str], path: pathlib.Path
) -> None:
    """Refuses to reuse the heads of a network with the same number of other classes.

    Args:
        trained: The network from the file `path`.
        class_names: Classes of the network to be initialized with its weights.
        path: The file, for the message.

    Raises:
        ValueError: The classes have other names or another order.
    """
    if trained.num_classes != len(class_names):
        # The heads' last convolutions are not copied in this case.
        return
    before = None if trained.classes is None else trained.classes.names
    require(
        before in (None, tuple(class_names)),
        f"{path} has the {len(class_names)} classes {', '.join(before or ())}, but the network to "
        f"be trained has {', '.join(class_names)}. If the classes are the same, set --class_order "
        "to the data set's classes in the order of the first list. If they differ, set "
        "--student_new_heads (or --teacher_new_heads) to start the heads' last convolutions with "
        "random weights.",
    )


def declared_class(path: pathlib.Path) -> str | None:
    """Registered name of the class that a `network.keras` file declares, after checking its parts.

    Raises:
        ValueError, OSError, KeyError, zipfile.BadZipFile: The file is no archive of this package.
    """
    with zipfile.ZipFile(path) as archive:
        unknown = sorted(set(archive.namelist()) - _MEMBERS)
        if unknown:
            raise ValueError(f"it contains {unknown[0]!r}, which no network of this package does")
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > _LARGEST_RATIO * path.stat().st_size + _LARGEST_CONFIG:
            raise ValueError(f"it would unpack to {unpacked:,} bytes")
        if archive.getinfo(_CONFIG).file_size > _LARGEST_CONFIG:
            raise ValueError(f"its {_CONFIG} has {archive.getinfo(_CONFIG).file_size:,} bytes")
        config = parse_json(archive.read(_CONFIG))
    return config.get("registered_name") if isinstance(config, dict) else None


def weights_by_layer(network: keras.Model) -> dict[str, list[keras.Variable]]:
    """Groups weights by the path, within the network, of the layer that owns them."""
    layers: dict[str, list[keras.Variable]] = {}
    for weight in network.weights:
        layers.setdefault(weight.path.rpartition("/")[0], []).append(weight)
    return layers
