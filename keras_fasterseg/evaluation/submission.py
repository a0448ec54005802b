"""Job: label maps of a split in the format of Cityscapes' test server and evaluation script."""

import collections
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from cityscapesscripts.helpers.labels import name2label
from PIL import Image

from keras_fasterseg.data.cityscapes import Cityscapes
from keras_fasterseg.data.image_files import read_image
from keras_fasterseg.data.source import MAX_MEGAPIXELS, Sample, SegmentationSource
from keras_fasterseg.files import atomic_path, read_json, remove_partial, write_json
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.runtimes.base import Runner
from keras_fasterseg.setting import require

MARKER = ".submission.json"
_IMAGE_ENDING = "_leftImg8bit"
_ENDING = "_labelIds.png"


def check_cityscapes(source: SegmentationSource) -> None:
    """Raises `ValueError` unless `source` is in Cityscapes' layout and has its classes."""
    require(
        isinstance(source, Cityscapes),
        "Official scores and submissions need a data set in Cityscapes' layout; set "
        f"--dataset=cityscapes. Received: {source.name}",
    )
    unknown = [name for name in source.class_names if name not in name2label]
    require(
        not unknown,
        "Official scores and submissions need Cityscapes' class names; do not rename classes in "
        f"--class_order. Received: {', '.join(unknown)}",
    )


def write_submission(
    runner: Runner,
    samples: Sequence[Sample],
    class_names: Sequence[str],
    folder: pathlib.Path,
    *,
    origin: Mapping[str, Any],
    max_megapixels: int = MAX_MEGAPIXELS,
    overwrite: bool = False,
    progress: bool = True,
) -> tuple[pathlib.Path, ...]:
    """Writes `CITY_SEQUENCE_FRAME_labelIds.png` for every image: 8-bit label ids at full size.

    A hidden file in the folder records the origin of the label maps. If the origin is the same,
    existing label maps are kept, so an interrupted call resumes.

    Args:
        runner: Maps uint8 images to class ids.
        samples: The samples whose images are segmented; their labels may be missing.
        class_names: Cityscapes' names of the runner's classes.
        folder: The folder to write to.
        origin: Everything that the label maps depend on, as JSON values.
        max_megapixels: Larger images are rejected before they are decoded.
        overwrite: Whether to remove existing label maps first.
        progress: Whether to show a progress bar.

    Returns:
        The files, in the order of `samples`.

    Raises:
        FileExistsError: The folder holds label maps of another origin, or other files.
        DataError: An image is missing or faulty.
        ValueError: Two images have the same name, or the runner predicts a class without a name.
        OSError: The folder cannot be written.
    """
    label_ids = np.array([name2label[name].id for name in class_names], np.uint8)
    paths = _paths(samples, folder)
    _prepare(folder, dict(origin), overwrite)
    pairs = list(zip(samples, paths, strict=True))
    for sample, path in progress_bar(pairs, "segment", unit="image", show=progress):
        if path.is_file():
            continue
        class_ids = runner(read_image(sample.image, max_megapixels)[np.newaxis])[0]
        if class_ids.max() >= len(label_ids):
            raise ValueError(
                f"The artefact predicts the class {class_ids.max()} in {sample.image}, but the "
                f"data set has {len(label_ids)} classes; use a network trained on this data set."
            )
        with atomic_path(path) as temporary:
            Image.fromarray(label_ids[class_ids]).save(temporary)
    return paths


def _paths(samples: Sequence[Sample], folder: pathlib.Path) -> tuple[pathlib.Path, ...]:
    names = [sample.image.stem.removesuffix(_IMAGE_ENDING) + _ENDING for sample in samples]
    name, count = collections.Counter(names).most_common(1)[0]
    require(count == 1, f"Two images would be written to {folder / name}; rename one of them.")
    return tuple(folder / name for name in names)


def _prepare(folder: pathlib.Path, origin: dict[str, Any], overwrite: bool) -> None:
    """Creates `folder` if needed, and ensures that it holds only label maps of `origin`."""
    marker = folder / MARKER
    if folder.exists() and not marker.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"{folder} exists and holds other files than label maps of this tool; choose another "
            "folder."
        )
    if marker.is_file():
        found = read_json(marker)
        if found != origin and not overwrite:
            raise FileExistsError(
                f"{folder} holds label maps of another origin ({_differences(found, origin)}); "
                "pass --overwrite to replace them or choose another folder."
            )
        remove_partial(folder)
        if overwrite:
            for path in folder.glob(f"*{_ENDING}"):
                path.unlink()
    write_json(marker, origin)


def _differences(found: Any, origin: dict[str, Any]) -> str:
    """Describes the first difference between two origins."""
    if not isinstance(found, dict):
        return f"{MARKER} is from another version"
    name = next(name for name in {**origin, **found} if found.get(name) != origin.get(name))
    return f"{name} was {found.get(name)!r} and is {origin.get(name)!r}"
