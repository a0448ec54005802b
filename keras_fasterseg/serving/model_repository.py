"""The folder that a model server reads: models by name, versions by number."""

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
"""Where a container of TensorFlow Serving has the repository."""


@dataclasses.dataclass(frozen=True)
class RepositoryOptions:
    """How a server is to treat a model.

    Attributes:
        batching: How requests are put together, where the network takes every number of images.
        warmup_sizes: Height and width of the images of TensorFlow Serving's warm-up requests. An
            ONNX model is warmed up at its own size.
        mount: Where a server finds the repository, a container's folder; TensorFlow Serving's
            configuration names it. None: `/models`.
        other_classes: Whether a version may have other classes than the one before.
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
    """Copies an export to a server's repository, which is made if it is not there.

    A SavedModel goes to one for TensorFlow Serving, an ONNX model to one for Triton:

    ```
    models.config                                             config of all models
    batching.config                                           how requests are put together
    NAME/VERSION/saved_model.pb, variables/, ...
    NAME/VERSION/assets.extra/tf_serving_warmup_requests      if warm-up sizes are given

    NAME/config.pbtxt
    NAME/VERSION/model.onnx, manifest.json
    ```

    Args:
        export: The folder of a SavedModel or of an ONNX export.
        repository: The server's folder.
        name: By which clients will ask for the model.
        version: Its version; None takes the one after those that are there, or 1.
        overwrite: Whether a version that is there is replaced. A running server may not notice.
        options: How the server is to treat the model.

    Returns:
        The folder of the version.

    Raises:
        FileNotFoundError: There is no export.
        FileExistsError: The version is there and `overwrite` is off.
        RuntimeNotInstalledError: The export is ONNX and ONNX Runtime, which reads its sizes, is
            not installed.
        ValueError: The export is of another format or of another program, a name or a number is
            out of its range, a model has other classes than its newest other version, or an ONNX
            model has other sizes than its other versions.
    """
    artefact = find_artefact(export)
    if artefact.format not in (SAVED_MODEL, ONNX):
        raise ValueError(
            f"TensorFlow Serving takes a SavedModel and Triton an ONNX model. Received: "
            f"{artefact.path}, which is {artefact.format}; export the network again with --format."
        )
    if not _NAME.fullmatch(name):
        raise ValueError(
            "`name` of a model may hold letters, digits, `_`, `-` and `.`, which clients write "
            f"into addresses. Received: name={name!r}"
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
            f"{target} exists; leave --version out for the next one, or pass --overwrite."
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
                "An ONNX model is warmed up at its own size; leave the warm-up sizes out. "
                f"Received: warmup_sizes={options.warmup_sizes}"
            )
        if options.mount is not None:
            raise ValueError(
                "Triton's configuration does not name the repository's folder; leave --mount out. "
                f"Received: mount={options.mount!r}"
            )
        add_onnx(artefact, target, options.batching)
    return target


def _check_classes(artefact: Artefact, model: pathlib.Path, version: int) -> None:
    """Refuses classes that clients of the model do not expect."""
    others = [number for number in versions(model) if number != version]
    if not others:
        return
    other = find_artefact(model / str(others[-1]))
    names, before = (recorded_names(each.metadata) for each in (artefact, other))
    if names is None or before is None:
        names, before = (_number(each) for each in (artefact, other))
    if names is not None and before is not None and names != before:
        raise ValueError(
            f"{artefact.path} has {_shown(names)}, and version {others[-1]} of {model.name} has "
            f"{_shown(before)}; choose another name, or pass --other_classes if all clients know."
        )


def _number(artefact: Artefact) -> int | None:
    """The number of its classes; None if it is not known."""
    names, count = recorded_names(artefact.metadata), artefact.metadata.get("num_classes")
    if names is not None:
        return len(names)
    return count if isinstance(count, int) else None


def _shown(classes: tuple[str, ...] | int) -> str:
    if isinstance(classes, int):
        return f"{classes} classes"
    return f"the classes {', '.join(classes)}"
