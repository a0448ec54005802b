"""Which images a split has, by a text file that lists their stems."""

import pathlib
from collections.abc import Mapping

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_listing import IMAGE_SUFFIXES


def listed_images(
    list_file: pathlib.Path, by_stem: Mapping[str, pathlib.Path], folder: pathlib.Path
) -> dict[str, pathlib.Path]:
    """The images that `list_file` lists, a stem a line, by stem; some lists have names with suffix.

    Args:
        list_file: The list; empty lines are passed over.
        by_stem: All images that there are.
        folder: Where those are, for the message.

    Raises:
        DataError: The list is no text, or has an image that is not there or that it had before.
    """
    try:
        lines = list_file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{list_file} is no text in UTF-8 ({error}); save it as such.") from error
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
