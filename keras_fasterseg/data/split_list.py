"""Selects the images of a split from a text file that lists their stems."""

import pathlib
from collections.abc import Mapping

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_listing import IMAGE_SUFFIXES


def listed_images(
    list_file: pathlib.Path, by_stem: Mapping[str, pathlib.Path], folder: pathlib.Path
) -> dict[str, pathlib.Path]:
    """The images in `list_file`, by stem. Each line has one stem, with or without a suffix.

    Args:
        list_file: The list; empty lines are skipped.
        by_stem: All available images, by stem.
        folder: The folder of these images, for the error message.

    Raises:
        DataError: The list is not UTF-8 text, or it names a missing image or an image twice.
    """
    try:
        lines = list_file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{list_file} is not UTF-8 text ({error}); save it as UTF-8.") from error
    chosen: dict[str, pathlib.Path] = {}
    for line in filter(None, map(str.strip, lines)):
        path = pathlib.PurePath(line)
        is_name = line not in by_stem and path.suffix.lower() in IMAGE_SUFFIXES
        stem = path.with_suffix("").as_posix() if is_name else line
        if stem not in by_stem:
            raise DataError(f"{list_file} lists {line}, but there is no such image in {folder}.")
        if stem in chosen:
            raise DataError(f"{list_file} lists {line} twice; list every image once.")
        chosen[stem] = by_stem[stem]
    return chosen
