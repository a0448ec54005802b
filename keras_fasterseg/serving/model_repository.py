"""The repository folder of a model server: models by name, versions by number."""

import dataclasses
import pathlib
import re

from keras_fasterseg.classes import recorded_names
from keras_fasterseg.files import PathLike
from keras_fasterseg.runtimes.artefact_format import ONNX, SAVED_MODEL, Artefact, find_artefact
from keras_fasterseg.serving.tensorflow_serving_repository import (
    BatchingParameters,
    add_saved_model,
)
from keras_fasterseg.serving.triton_repository import add_onnx
from keras_fasterseg.serving.versions import next_version, versions

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

MOUNT = "/models"
"""Path of the repository in a TensorFlow Serving container."""


@dataclasses.dataclass(frozen=True)
class RepositoryOptions:
    """Options for a model on a server.

    Attributes:
        batching: Batching of requests, for networks that accept any number of images.
        warmup_sizes: Height and width of the images in TensorFlow Serving's warm-up requests. An
            ONNX model is warmed up at its own size.
        mount: Path at which the server finds the repository, for example in a container; TensorFlow
            Serving's configuration contains it. None: `/models`.
        other_classes: Whether the classes of a version may differ from those of the newest other
            version.
    """

    batching: BatchingParameters = BatchingParameters()
    warmup_sizes: tuple[tuple[int, int], ...] = ()
    mount: str | None = None
    other_classes: bool = False


def add_to_repository(
    export: PathLike,
    repository: PathLike,
    name: str,
    version: int | None = None,
    *,
    overwrite: bool = False,
    options: RepositoryOptions | None = None,
) -> pathlib.Path:
    """Copies an export to a server's repository, which is created if it does not exist.

    A SavedModel is for TensorFlow Serving, an ONNX model for Triton:

    ```
    models.config                                             config of all models
    batching.config                                           batching of requests
    NAME/VERSION/saved_model.pb, variables/, ...
    NAME/VERSION/assets.extra/tf_serving_warmup_requests      if warm-up sizes are given

    NAME/config.pbtxt
    NAME/VERSION/model.onnx, manifest.json
    ```

    Args:
        export: The folder of a SavedModel or of an ONNX export.
        repository: The server's folder.
        name: Name of the model, which clients use.
        version: Version of the model; None uses the number after the highest, or 1.
        overwrite: Whether to replace an existing version. A running server may not notice.
        options: Options for the model on the server.

    Returns:
        The folder of the version.

    Raises:
        FileNotFoundError: The export does not exist.
        FileExistsError: The version exists and `overwrite` is off.
        RuntimeNotInstalledError: The export is ONNX, but ONNX Runtime, which reads its sizes, is
            not installed.
        ValueError: The export has another format or is not from this package, a name or a number is
            out of range, the classes differ from the newest other version, the configuration of an
            ONNX model differs from its other versions, or an option does not fit the format.
    """
    artefact = find_artefact(export)
    if artefact.format not in (SAVED_MODEL, ONNX):
        raise ValueError(
            f"TensorFlow Serving needs a SavedModel, and Triton an ONNX model. Received: "
            f"{artefact.path}, which is {artefact.format}; export the network again with --format."
        )
    if not _NAME.fullmatch(name):
        raise ValueError(
            "`name` of a model must begin with a letter or digit and may contain only letters, "
            f"digits, `_`, `-` and `.`, because it is part of URLs. Received: name={name!r}"
        )
    options = options or RepositoryOptions()
    model = pathlib.Path(repository) / name
    if version is None:
        version = next_version(model)
    if version < 1:
        raise ValueError(f"`version` must be at least 1. Received: version={version}")
    target = model / str(version)
    if target.exists() and not overwrite:
        raise FileExistsError(
            f"{target} exists; omit --version to use the next one, or pass --overwrite."
        )
    if not options.other_classes:
        _check_classes(artefact, model, version)
    if artefact.format == SAVED_MODEL:
        add_saved_model(
            artefact.path,
            target,
            options.batching,
            options.warmup_sizes,
            MOUNT if options.mount is None else options.mount,
        )
    else:
        if options.warmup_sizes:
            raise ValueError(
                "An ONNX model is warmed up at its own size; omit the warm-up sizes. "
                f"Received: warmup_sizes={options.warmup_sizes}"
            )
        if options.mount is not None:
            raise ValueError(
                "Triton's configuration does not contain the repository's path; omit --mount. "
                f"Received: mount={options.mount!r}"
            )
        add_onnx(artefact, target, options.batching)
    return target


def _check_classes(artefact: Artefact, model: pathlib.Path, version: int) -> None:
    """Raises ValueError if the classes differ from those of the newest other version."""
    others = [number for number in versions(model) if number != version]
    if not others:
        return
    other = find_artefact(model / str(others[-1]))
    names, before = (recorded_names(each.metadata) for each in (artefact, other))
    if names is None or before is None:
        names, before = (_number(each) for each in (artefact, other))
    if names is not None and before is not None and names != before:
        raise ValueError(
            f"{artefact.path} has {_shown(names)}, but version {others[-1]} of {model.name} has "
            f"{_shown(before)}; choose another name, or pass --other_classes if all clients can "
            "handle the change."
        )


def _number(artefact: Artefact) -> int | None:
    """Number of classes of an artefact; None if unknown."""
    names, count = recorded_names(artefact.metadata), artefact.metadata.get("num_classes")
    if names is not None:
        return len(names)
    return count if isinstance(count, int) else None


def _shown(classes: tuple[str, ...] | int) -> str:
    if isinstance(classes, int):
        return f"{classes} classes"
    return f"the classes {', '.join(classes)}"
