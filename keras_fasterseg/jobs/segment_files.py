"""Job: write label maps and overlays of image files, from any source of class ids."""

import dataclasses
import glob
import pathlib
import re
from collections.abc import Callable, Sequence

import numpy as np
from absl import logging

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_image
from keras_fasterseg.data.image_listing import find_images
from keras_fasterseg.data.source import MAX_MEGAPIXELS
from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.serving.errors import TransientServingError
from keras_fasterseg.visualization.segmentation_pictures import SegmentationPictures

Segment = Callable[[np.ndarray], np.ndarray]
"""Maps uint8 images `(1, height, width, 3)` to uint8 class ids `(1, height, width)`, such as a
client or a `Predictor`."""

_NAMED_FILES = 3


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """Images, and the folder of their pictures.

    Attributes:
        paths: The images.
        target: The folder for their pictures.
        failures: A sentence for every image that is skipped.
    """

    paths: tuple[pathlib.Path, ...]
    target: pathlib.Path
    failures: tuple[str, ...]

    def written(self, image: pathlib.Path, kind: str) -> pathlib.Path:
        """The file of one kind of picture of an image."""
        return _written(image, self.target, kind)


def find_image_files(images: PathLike, target: PathLike, kinds: Sequence[str]) -> ImageFiles:
    """Finds the images that `images` names.

    A warning counts a folder's files whose names are not those of images. If two images would have
    their pictures in the same file, the second is skipped.

    Args:
        images: An image file, a folder of them, or a pattern such as `photos/*.jpg`.
        target: The folder to write to.
        kinds: Kinds of pictures to write for every image.

    Raises:
        DataError: The file or folder does not exist, or the folder has no image.
        ValueError: An image would be overwritten by its own pictures.
    """
    target, paths, failures = pathlib.Path(target), [], []
    owners: dict[pathlib.Path, pathlib.Path] = {}
    for path in _image_paths(images):
        files = [_written(path, target, kind) for kind in kinds]
        taken = next((file for file in files if file in owners), None)
        if taken is not None:
            failures.append(
                f"{path} is skipped: {taken} is a picture of {owners[taken]}; rename one of them."
            )
            continue
        owners |= dict.fromkeys(files, path)
        paths.append(path)
    lost = {path.resolve() for path in paths} & {path.resolve() for path in owners}
    if lost:
        raise ValueError(
            f"{sorted(lost)[0]} would be overwritten by its own pictures; choose another output "
            "folder."
        )
    return ImageFiles(tuple(paths), target, tuple(failures))


@dataclasses.dataclass(frozen=True)
class SegmentedFiles:
    """Images that were segmented, and images that failed.

    Attributes:
        done: The images whose pictures were written.
        failures: A sentence for every image without pictures.
        left_out: Number of images that were not tried because the server failed.
    """

    done: tuple[pathlib.Path, ...]
    failures: tuple[str, ...]
    left_out: int


def segment_files(
    segments: Sequence[Segment],
    images: ImageFiles,
    pictures: SegmentationPictures,
    *,
    max_megapixels: int = MAX_MEGAPIXELS,
    progress: bool = False,
) -> SegmentedFiles:
    """Writes the `pictures` of every image `NAME`: `NAME.png`, `NAME_overlay.png` and so on.

    An image that cannot be read, or that the server refuses, does not stop the others.

    Args:
        segments: One source of class ids, or two whose overlays are compared.
        images: The images, and the folder to write to. Existing pictures are overwritten.
        pictures: The pictures to write.
        max_megapixels: Larger images are refused before they are decoded.
        progress: Whether to show a progress bar.

    Raises:
        OSError: The folder cannot be written.
    """
    done, failures = [], []
    for path in progress_bar(images.paths, "Segmenting", unit="image", show=progress):
        try:
            pixels = read_image(path, max_megapixels)
            maps = [segment(pixels[np.newaxis])[0] for segment in segments]
        except TransientServingError as error:
            failures.append(f"{path}: {error}")
            # All attempts failed, and would fail for the other images.
            break
        except (ValueError, OSError) as error:
            sentence = str(error)
            failures.append(sentence if str(path) in sentence else f"{path}: {sentence}")
            continue
        for kind, picture in pictures.draw(pixels, *maps).items():
            with atomic_path(images.written(path, kind)) as temporary:
                picture.save(temporary)
        done.append(path)
    left_out = len(images.paths) - len(done) - len(failures)
    return SegmentedFiles(tuple(done), (*images.failures, *failures), left_out)


def _image_paths(images: PathLike) -> list[pathlib.Path]:
    path = pathlib.Path(images)
    if path.is_dir():
        return _images_of_folder(path)
    if not glob.has_magic(str(images)) or path.exists():
        return [_image_file(path)]
    paths = sorted(pathlib.Path(name) for name in glob.glob(str(images), recursive=True))
    paths = [path for path in paths if path.is_file()]
    if not paths:
        raise DataError(f"No file matches {images}.")
    return paths


def _images_of_folder(folder: pathlib.Path) -> list[pathlib.Path]:
    paths = find_images(folder)
    others = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and path not in set(paths)
    )
    named, more = ", ".join(others[:_NAMED_FILES]), len(others) - _NAMED_FILES
    named += f" and {more} more" if more > 0 else ""
    count = f"{len(others)} file" if len(others) == 1 else f"{len(others)} files"
    if not paths:
        raise DataError(
            f"{folder} has no images."
            + (f" It has {count} of other formats: {named}." if others else "")
        )
    if others:
        logging.warning("%s has %s of other formats, which are ignored: %s.", folder, count, named)
    return paths


def _image_file(path: pathlib.Path) -> pathlib.Path:
    if path.is_file():
        return path
    if path.exists():
        raise DataError(f"{path} is not a file; give an image, a folder, a video, or camera:0.")
    hint = (
        f" For the camera of that number, give camera:{path}."
        if re.fullmatch("[0-9]+", str(path))
        else ""
    )
    raise DataError(f"The file {path} does not exist.{hint}")


def _written(image: pathlib.Path, target: pathlib.Path, kind: str) -> pathlib.Path:
    return target / f"{image.stem}{kind}.png"
