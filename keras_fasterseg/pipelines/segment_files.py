"""Job: label maps and overlays of image files, made by whoever gives class ids."""

import collections
import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

from keras_fasterseg.data.image_files import read_image
from keras_fasterseg.data.source import find_images
from keras_fasterseg.files import atomic_path
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.serving.errors import TransientServingError
from keras_fasterseg.visualization.label_map import label_map_image, overlay_image


@dataclasses.dataclass(frozen=True)
class SegmentedFiles:
    """What became of the images.

    Attributes:
        label_maps: The label maps that were written.
        failures: A sentence for every image that has none.
        left_out: Images that were not tried any more, because the server had gone.
    """

    label_maps: tuple[pathlib.Path, ...]
    failures: tuple[str, ...]
    left_out: int


def segment_files(
    segment: Callable[[np.ndarray], np.ndarray],
    images: pathlib.Path,
    target: pathlib.Path,
    palette: np.ndarray,
    *,
    opacity: float = 0.5,
    progress: bool = False,
) -> SegmentedFiles:
    """Writes `NAME.png` and, unless `opacity` is 0, `NAME_overlay.png` for every image `NAME`.

    An image that cannot be read, or that the server refuses, does not stop the others.

    Args:
        segment: Maps uint8 images `(1, height, width, 3)` to uint8 class ids `(1, height, width)`,
            such as a client or a runner.
        images: An image file, or a folder of them.
        target: The folder to write to. What is there is overwritten.
        palette: `(classes, 3)` uint8, the colours of the classes.
        opacity: How much the colours hide of the image, in (0, 1]; 0 writes no overlays.
        progress: Whether there is a progress bar.

    Raises:
        DataError: There is no such file or folder, or no image in it.
        ValueError: Two images would have their label maps in one file, or an image would be
            overwritten by its label map.
        OSError: The folder cannot be written.
    """
    paths = _image_paths(images)
    _check_names(paths, target)
    label_maps, failures = [], []
    for done, path in enumerate(progress_bar(paths, "Segmenting", unit="image", show=progress)):
        try:
            pixels = read_image(path)
            class_ids = segment(pixels[np.newaxis])[0]
        except TransientServingError as error:
            failures.append(f"{path}: {error}")
            # All attempts were in vain, and they would be for the others.
            return SegmentedFiles(tuple(label_maps), tuple(failures), len(paths) - done - 1)
        except (ValueError, OSError) as error:
            sentence = str(error)
            failures.append(sentence if str(path) in sentence else f"{path}: {sentence}")
            continue
        label_map = target / f"{path.stem}.png"
        with atomic_path(label_map) as temporary:
            label_map_image(class_ids, palette).save(temporary)
        label_maps.append(label_map)
        if opacity:
            with atomic_path(_overlay(label_map)) as temporary:
                overlay_image(pixels, class_ids, palette, opacity).save(temporary)
    return SegmentedFiles(tuple(label_maps), tuple(failures), 0)


def _image_paths(images: pathlib.Path) -> list[pathlib.Path]:
    if not images.is_dir():
        return [images]
    paths = find_images(images)
    if not paths:
        raise ValueError(f"{images} has no images.")
    return paths


def _check_names(paths: list[pathlib.Path], target: pathlib.Path) -> None:
    written = collections.Counter(target / f"{path.stem}.png" for path in paths)
    written.update([_overlay(label_map) for label_map in written])
    twice = [path for path, count in written.items() if count > 1]
    if twice:
        raise ValueError(f"Two images would be written to {twice[0]}; rename one of them.")
    lost = {path.resolve() for path in paths} & {path.resolve() for path in written}
    if lost:
        raise ValueError(
            f"{sorted(lost)[0]} would be overwritten by what is made of it; write to another "
            "folder."
        )


def _overlay(label_map: pathlib.Path) -> pathlib.Path:
    return label_map.with_name(f"{label_map.stem}_overlay.png")
