"""Scopes of timing: the start and end of a measured time."""

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from PIL import Image

from keras_fasterseg.runtimes.base import Runner

Call = Callable[[], None]


@dataclasses.dataclass(frozen=True)
class Scope:
    """A scope of timing.

    Attributes:
        name: Name for `--scope` and in results.
        description: Phrase that describes the scope; every result repeats it.
        output: Output of the network that it needs: `class_ids` or `logits`.
        make_call: Makes the timed call from a runner, the images (uint8, `(batch, height, width,
            3)`) and a folder that it may write to.
    """

    name: str
    description: str
    output: str
    make_call: Callable[[Runner, np.ndarray, pathlib.Path], Call]


def _network(runner: Runner, images: np.ndarray, folder: pathlib.Path) -> Call:
    def call() -> None:
        runner.infer(images, "logits")
        runner.synchronize()

    return call


def _network_and_argmax(runner: Runner, images: np.ndarray, folder: pathlib.Path) -> Call:
    def call() -> None:
        runner(images)
        runner.synchronize()

    return call


def _file_to_label_map(runner: Runner, images: np.ndarray, folder: pathlib.Path) -> Call:
    sources = [folder / f"image_{index}.png" for index in range(len(images))]
    targets = [folder / f"label_map_{index}.png" for index in range(len(images))]
    for source, image in zip(sources, images, strict=True):
        Image.fromarray(image).save(source)

    def call() -> None:
        class_ids = runner(np.stack([_decode(source) for source in sources]))
        for target, label_map in zip(targets, class_ids, strict=True):
            Image.fromarray(label_map).save(target)

    return call


DEFAULT_SCOPE = "network+argmax"

SCOPES: Mapping[str, Scope] = {
    scope.name: scope
    for scope in (
        Scope(
            "network",
            "uint8 images in host memory to logits at the images' size on the device, which are "
            "finished but not copied back",
            "logits",
            _network,
        ),
        Scope(
            DEFAULT_SCOPE,
            "uint8 images in host memory to class ids in host memory",
            "class_ids",
            _network_and_argmax,
        ),
        Scope(
            "file_to_label_map",
            "PNG files on disk to PNG label maps without a palette on disk: reading, decoding, "
            "class ids, encoding, writing, one image after the other",
            "class_ids",
            _file_to_label_map,
        ),
    )
}


def find_scope(name: str) -> Scope:
    """Returns the scope with that name.

    Raises:
        ValueError: The scope is unknown; the message lists the known ones.
    """
    if name not in SCOPES:
        raise ValueError(f"Unknown scope {name!r}; choose one of {', '.join(SCOPES)}.")
    return SCOPES[name]


@contextlib.contextmanager
def timed_calls(
    scope: Scope, runners: Mapping[str, Runner], images: np.ndarray
) -> Iterator[dict[str, Call]]:
    """Yields the calls to be timed, by the runner's name; their files are removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="benchmark_") as root:
        folders = [pathlib.Path(root) / str(index) for index in range(len(runners))]
        for folder in folders:
            folder.mkdir()
        yield {
            name: scope.make_call(runner, images, folder)
            for (name, runner), folder in zip(runners.items(), folders, strict=True)
        }


def _decode(path: pathlib.Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
