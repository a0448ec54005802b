"""Job: label maps and overlays of image files, made by whoever gives class ids."""

import collections
import dataclasses
import glob
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_image
from keras_fasterseg.data.image_listing import find_images
from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.serving.errors import TransientServingError
from keras_fasterseg.visualization.segmentation_pictures import SegmentationPictures

Segment = Callable[[np.ndarray], np.ndarray]
"""Maps uint8 images `(1, height, width, 3)` to uint8 class ids `(1, height, width)`, such as a
client or a `Predictor`."""


@dataclasses.dataclass(frozen=True)
class SegmentedFiles:
    """What became of the images.

    Attributes:
        done: The images whose pictures were written.
        failures: A sentence for every image that has none.
        left_out: Images that were not tried any more, because the server had gone.
    """

    done: tuple[pathlib.Path, ...]
    failures: tuple[str, ...]
    left_out: int


def segment_files(
    segments: Sequence[Segment],
    images: PathLike,
    target: pathlib.Path,
    pictures: SegmentationPictures,
    *,
    progress: bool = False,
) -> SegmentedFiles:
    """Writes the `pictures` of every image `NAME`: `NAME.png`, `NAME_overlay.png` and so on.

    An image that cannot be read, or that the server refuses, does not stop the others.

    Args:
        segments: What gives the class ids: one, or two whose overlays are compared.
        images: An image file, a folder of them, or a pattern such as `photos/*.jpg`.
        target: The folder to write to. What is there is overwritten.
        pictures: Which pictures there are.
        progress: Whether there is a progress bar.

    Raises:
        DataError: There is no such file or folder, or no image in it.
        ValueError: Two images would have their pictures in one file, or an image would be
            overwritten by its own.
        OSError: The folder cannot be written.
    """
    paths = _image_paths(images)
    _check_names(paths, target, pictures.kinds)
    done, failures = [], []
    for path in progress_bar(paths, "Segmenting", unit="image", show=progress):
        try:
            pixels = read_image(path)
            maps = [segment(pixels[np.newaxis])[0] for segment in segments]
        except TransientServingError as error:
            failures.append(f"{path}: {error}")
            # All attempts were in vain, and they would be for the others.
            break
        except (ValueError, OSError) as error:
            sentence = str(error)
            failures.append(sentence if str(path) in sentence else f"{path}: {sentence}")
            continue
        for kind, picture in pictures.draw(pixels, *maps).items():
            with atomic_path(_written(path, target, kind)) as temporary:
                picture.save(temporary)
        done.append(path)
    return SegmentedFiles(tuple(done), tuple(failures), len(paths) - len(done) - len(failures))


def _image_paths(images: PathLike) -> list[pathlib.Path]:
    path = pathlib.Path(images)
    if path.is_dir():
        paths = find_images(path)
        if not paths:
            raise DataError(f"{path} has no images.")
        return paths
    if path.exists() or not glob.has_magic(str(images)):
        return [path]
    paths = sorted(pathlib.Path(name) for name in glob.glob(str(images), recursive=True))
    paths = [path for path in paths if path.is_file()]
    if not paths:
        raise DataError(f"No file matches {images}.")
    return paths


def _check_names(paths: Sequence[pathlib.Path], target: pathlib.Path, kinds: Sequence[str]) -> None:
    written = collections.Counter(_written(path, target, kind) for path in paths for kind in kinds)
    twice = [path for path, count in written.items() if count > 1]
    if twice:
        raise ValueError(f"Two images would be written to {twice[0]}; rename one of them.")
    lost = {path.resolve() for path in paths} & {path.resolve() for path in written}
    if lost:
        raise ValueError(
            f"{sorted(lost)[0]} would be overwritten by what is made of it; write to another "
            "folder."
        )


def _written(image: pathlib.Path, target: pathlib.Path, kind: str) -> pathlib.Path:
    return target / f"{image.stem}{kind}.png"
