"""Finds image and label files in folders, and files that only look like them."""

import os
import pathlib
import re
from collections.abc import Iterable, Iterator

from keras_fasterseg.data.errors import DataError

# Suffixes of the formats in `image_encoding.FORMATS`, upper or lower case.
LABEL_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", *LABEL_SUFFIXES[1:])
# Other formats that people use for images and labels, including raw camera files and arrays.
_OTHERS = (
    "apng arw avi avif cr2 cr3 dcm dds dib dng exr gif h5 hdf5 hdr heic heif hif j2c j2k jp2 jpf "
    "jpx jxl jxr mat mkv mov mp4 nef nii npy npz orf pam pcx pfm psd raf ras raw rw2 sgi svg tga"
)
_OTHER_SUFFIXES = frozenset(f".{name}" for name in _OTHERS.split())
# First bytes of PNG, JPEG, TIFF, WebP and GIF files.
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"RIFF", b"GIF8")


def find_images(folder: pathlib.Path) -> list[pathlib.Path]:
    """The image files directly in `folder`, sorted, without hidden files.

    Raises:
        DataError: The folder does not exist.
    """
    _check_folder(folder)
    return sorted(path for path in folder.iterdir() if _is_image(path))


def in_numeric_order(paths: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """Files sorted by their stems, numbers in them by value: `9.png` precedes `10.png`."""

    def key(path: pathlib.Path) -> list[tuple[bool, int, str]]:
        parts = re.split(r"([0-9]+)", path.stem)
        return [
            (not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts
        ]

    return sorted(paths, key=key)


def find_images_below(folder: pathlib.Path) -> list[pathlib.Path]:
    """The image files in `folder` and its subfolders, sorted, without hidden files and folders.

    Raises:
        DataError: The folder does not exist.
    """
    _check_folder(folder)
    return sorted(filter(_is_image, _files_below(folder)))


def look_alikes_below(folder: pathlib.Path) -> list[pathlib.Path]:
    """Files in `folder` and its subfolders that look like images but have an unsupported suffix.

    They are sorted, without hidden ones. Empty if the folder does not exist.
    """
    return sorted(filter(_is_look_alike, _files_below(folder)))


def by_stem(paths: Iterable[pathlib.Path], folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Files by their path relative to `folder`, without suffix.

    If several files share a path, it keeps the likeliest label: first `.png`, then another
    lossless format, then the first file.
    """
    found: dict[str, pathlib.Path] = {}
    for path in sorted(paths, key=_likelihood):
        found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    return found


def labels_by_stem(folder: pathlib.Path, *, below: bool = False) -> dict[str, pathlib.Path]:
    """The label files in `folder`, as from `by_stem`; empty if the folder does not exist.

    Args:
        folder: Folder of the labels.
        below: Whether to include its subfolders.
    """
    if not folder.is_dir():
        return {}
    return by_stem(find_images_below(folder) if below else find_images(folder), folder)


def others_of_a_name(paths: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """Image files in the same folder as one of `paths` that differ from it only in the suffix."""
    taken = set(paths)
    names = {path.with_suffix("") for path in taken}
    folders = filter(pathlib.Path.is_dir, {path.parent for path in taken})
    return [
        path
        for folder in folders
        for path in find_images(folder)
        if path not in taken and path.with_suffix("") in names
    ]


def _check_folder(folder: pathlib.Path) -> None:
    if not folder.is_dir():
        raise DataError(f"The folder {folder} does not exist.")


def _files_below(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    # Data sets often contain links to another disk, which pathlib's `**` does not follow.
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (pathlib.Path(parent) / name for name in files)


def _is_image(path: pathlib.Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _is_look_alike(path: pathlib.Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.suffix:
        return path.suffix.lower() in _OTHER_SUFFIXES
    try:
        with open(path, "rb") as file:
            return file.read(4).startswith(_SIGNATURES)
    except OSError:
        return False


def _likelihood(path: pathlib.Path) -> tuple[bool, bool, pathlib.Path]:
    return path.suffix != ".png", path.suffix.lower() not in LABEL_SUFFIXES, path
