"""Reads and writes DAVIS 2017, in the folder layout of its download."""

import collections
import dataclasses
import pathlib
from collections.abc import Iterable

import numpy as np
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_ids, read_image
from keras_fasterseg.data.image_listing import find_images, in_numeric_order
from keras_fasterseg.data.palette import default_palette
from keras_fasterseg.data.source import MAX_MEGAPIXELS
from keras_fasterseg.files import PathLike, shown
from keras_fasterseg.wording import few

GENERATED = "generated_sequences.json"
"""File in the folder of generated videos."""

BACKGROUND = 0
"""Id of pixels without an object."""

VOID = 255
"""Id of pixels that do not count."""

PALETTE = default_palette()
"""Colours of the ids, `(256, 3)` uint8, RGB: the colour map of PASCAL VOC, as in DAVIS."""
PALETTE.setflags(write=False)

_FRAME_SUFFIXES = (".jpg", ".jpeg", ".png")
_LONGEST_NAME = 255
_LARGEST_LIST = 1 << 20


@dataclasses.dataclass(frozen=True)
class VideoSequence:
    """The files of a video.

    Attributes:
        name: Name of its folder.
        frames: Images of the frames, in their order.
        masks: The mask of each frame; None without one. Test splits have only the first mask.
    """

    name: str
    frames: tuple[pathlib.Path, ...]
    masks: tuple[pathlib.Path | None, ...]


class Davis:
    """Videos with masks of their objects, for the task of DAVIS 2017.

    - `JPEGImages/RESOLUTION/SEQUENCE/00000.jpg` and so on: the frames, as JPEG or PNG.
    - `Annotations/RESOLUTION/SEQUENCE/00000.png`: the mask of a frame, a PNG with a palette or
      8-bit grey. Its values are 0 (background), 1, 2 and so on (objects) and 255 (void).
    - `ImageSets/2017/SPLIT.txt`: the sequences of a split, one name per line.

    The files are not trusted: names and links that lead out of `root` are refused.

    Args:
        root: The folder that contains these three.
        resolution: Name of the folders of frames and masks, such as `480p` or `Full-Resolution`.
        max_megapixels: Larger images are rejected before they are decoded.

    Attributes:
        name: Kind of the videos: generated, or others.
        root: The folder of the data set.
        split_names: Names of the splits, sorted.

    Raises:
        DataError: A folder is missing, there is no split, or a link leads out of `root`.

    Reference:
        Pont-Tuset et al., The 2017 DAVIS challenge on video object segmentation, arXiv 1704.00675.
    """

    name: str
    root: pathlib.Path
    split_names: tuple[str, ...]

    def __init__(
        self, root: PathLike, resolution: str = "480p", max_megapixels: int = MAX_MEGAPIXELS
    ) -> None:
        self.root = pathlib.Path(root)
        is_generated = (self.root / GENERATED).is_file()
        self.name = "generated videos" if is_generated else "videos like DAVIS"
        if not self.root.is_dir():
            raise DataError(
                f"The folder {self.root} does not exist; choose the folder of DAVIS that contains "
                "JPEGImages, Annotations and ImageSets."
            )
        self._inside = self.root.resolve()
        self._max_megapixels = max_megapixels
        self._lists = self._folder(self.root / "ImageSets" / "2017")
        _check_name(resolution, "The resolution")
        self._images = self._folder(self.root / "JPEGImages" / resolution)
        self._annotations = self._folder(self.root / "Annotations" / resolution)
        self.split_names = tuple(sorted(path.stem for path in self._lists.glob("[!.]*.txt")))
        if not self.split_names:
            raise DataError(
                f"{self._lists} has no list of sequences; it needs a file SPLIT.txt, such as "
                "val.txt, with one name per line."
            )

    def sequences(self, split: str) -> tuple[VideoSequence, ...]:
        """The sequences of `split`, in the order of its list.

        Raises:
            DataError: The split, a folder or a frame is missing, the list is faulty, a mask has no
                frame, or a link leads out of `root`.
        """
        if split not in self.split_names:
            raise DataError(
                f"{self.root} has no split {split!r}; choose one of {', '.join(self.split_names)}."
            )
        return tuple(map(self._sequence, self._names(self._lists / f"{split}.txt")))

    def files(self, split: str) -> dict[str, pathlib.Path]:
        """The frames and masks of `split`, by their path below `root`. Raises as `sequences`."""
        paths = (
            path
            for sequence in self.sequences(split)
            for path in (*sequence.frames, *sequence.masks)
            if path is not None
        )
        return {path.relative_to(self.root).as_posix(): path for path in paths}

    def read_frame(self, path: pathlib.Path) -> np.ndarray:
        """The frame `(height, width, 3)` uint8, RGB. Raises `DataError` as `read_image`."""
        return read_image(path, self._max_megapixels)

    def read_mask(self, path: pathlib.Path) -> np.ndarray:
        """The ids `(height, width)` uint8. Raises as the function `read_mask`."""
        return read_mask(path, self._max_megapixels)

    def _names(self, list_file: pathlib.Path) -> list[str]:
        self._check_file(list_file)
        size = list_file.stat().st_size
        if size > _LARGEST_LIST:
            raise DataError(
                f"{list_file} has {size} bytes, more than {_LARGEST_LIST}; it needs one name of a "
                "sequence per line."
            )
        try:
            text = list_file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{list_file} is not UTF-8 text ({error}); save it as UTF-8."
            ) from error
        names: list[str] = []
        for number, line in enumerate(text.rstrip().splitlines(), start=1):
            name = line.strip()
            _check_name(name, f"Line {number} of {list_file}")
            names.append(name)
        if not names:
            raise DataError(f"{list_file} lists no sequence; write one name per line.")
        twice = [name for name, count in collections.Counter(names).items() if count > 1]
        if twice:
            raise DataError(f"{list_file} lists {few(twice)} twice; list every sequence once.")
        return names

    def _sequence(self, name: str) -> VideoSequence:
        folder = self._folder(self._images / name)
        frames = self._by_stem(
            path for path in find_images(folder) if path.suffix.lower() in _FRAME_SUFFIXES
        )
        if not frames:
            raise DataError(
                f"{folder} has no frame; it needs images such as 00000.jpg or 00000.png."
            )
        masks = self._by_stem(find_images(self._folder(self._annotations / name)))
        orphans = [masks[stem] for stem in masks if stem not in frames]
        if orphans:
            raise DataError(
                f"{few(orphans)} has no frame of the same name in {folder}; remove the mask or add "
                "the frame."
            )
        return VideoSequence(name, tuple(frames.values()), tuple(map(masks.get, frames)))

    def _by_stem(self, paths: Iterable[pathlib.Path]) -> dict[str, pathlib.Path]:
        found: dict[str, pathlib.Path] = {}
        for path in paths:
            self._check_file(path)
            if path.stem in found:
                raise DataError(
                    f"{found[path.stem]} and {path} belong to the same frame; remove one of them."
                )
            found[path.stem] = path
        return {path.stem: path for path in in_numeric_order(found.values())}

    def _folder(self, path: pathlib.Path) -> pathlib.Path:
        self._check_inside(path)
        if not path.is_dir():
            parent = path.parent
            names = sorted(each.name for each in parent.glob("[!.]*") if each.is_dir())
            there = f"{parent} has {few(names)}" if names else f"{parent} has no folder"
            raise DataError(
                f"The folder {path} does not exist; {there}. Choose the folder of DAVIS as it was "
                "downloaded, and a resolution and sequences that it has."
            )
        return path

    def _check_file(self, path: pathlib.Path) -> None:
        # The folder is already checked, so only a link can lead elsewhere.
        if path.is_symlink():
            self._check_inside(path)
        if not path.is_file():
            raise DataError(f"{path} is not a file; replace it.")

    def _check_inside(self, path: pathlib.Path) -> None:
        try:
            resolved = path.resolve()
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"{path} is a link that leads nowhere ({error}); replace it."
            ) from error
        if not resolved.is_relative_to(self._inside):
            raise DataError(
                f"{path} is a link to {resolved}, outside {self.root}; replace it with a copy."
            )


def read_mask(path: pathlib.Path, max_megapixels: int = MAX_MEGAPIXELS) -> np.ndarray:
    """The ids `(height, width)` uint8 in the mask file `path`.

    Args:
        path: A PNG with a palette or 8-bit grey.
        max_megapixels: Larger images are rejected before they are decoded.

    Raises:
        DataError: The file is missing, unreadable, truncated or too large, or has another encoding.
    """
    return read_ids(path, max_megapixels)


def write_mask(path: PathLike, ids: np.ndarray) -> None:
    """Writes ids as a PNG with the colours of `PALETTE`. The caller makes the write atomic.

    Args:
        path: The file.
        ids: uint8 of shape `(height, width)`.

    Raises:
        ValueError: `ids` has another shape or dtype.
        OSError: The file cannot be written.
    """
    if ids.dtype != np.uint8 or ids.ndim != 2 or ids.size == 0:
        raise ValueError(
            "`ids` must be uint8 of shape (height, width), not empty. Received: "
            f"{ids.dtype} of shape {ids.shape}"
        )
    image = Image.fromarray(ids)
    image.putpalette(PALETTE.tobytes())
    image.save(path, format="PNG")


def _check_name(name: str, subject: str) -> None:
    """Raises `DataError` unless `name` is that of a folder, without a path."""
    is_plain = not name.startswith(".") and not set(name) & set("/\\") and name.isprintable()
    if not name or not is_plain or len(name.encode()) > _LONGEST_NAME:
        raise DataError(
            f"{subject} must be the name of a folder, without a path. Received: {shown(name)}"
        )
