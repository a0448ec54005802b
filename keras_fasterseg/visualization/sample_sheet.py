"""A sheet of images next to their labels: the quickest way to check that they match."""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from keras_fasterseg.data.source import NOT_ALLOWED
from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.visualization.class_legend import class_legend
from keras_fasterseg.visualization.label_map import overlay_image
from keras_fasterseg.visualization.panels import side_by_side, stacked
from keras_fasterseg.visualization.text import (
    INK,
    Color,
    Font,
    draw_lines,
    drawn_names,
    line_height,
    shortened,
    wrapped,
)

# Colours of unknown label values (used by no known data set) and of frames of faulty samples.
UNKNOWN_COLOR = (0, 255, 255)
FAULT_COLOR = (214, 0, 0)

_COLUMNS = 3
_PICTURE = 264
_SEAM = 4
_GAP = 20
_MARGIN = 28
_FRAME = 4
_OPACITY = 0.6
_NOTHING = (226, 226, 226)


@dataclasses.dataclass(frozen=True)
class SheetSample:
    """An image and its label.

    Attributes:
        name: Caption below the sample.
        image: uint8 of shape `(height, width, 3)`; `None` if it cannot be read.
        class_ids: uint8 of shape `(height, width)`: `NOT_ALLOWED` for unknown values, other ids
            beyond the classes for ignored pixels; `None` if it cannot be read.
        fault: Short description of its fault; empty if it has none.
    """

    name: str
    image: np.ndarray | None
    class_ids: np.ndarray | None
    fault: str = ""


@dataclasses.dataclass(frozen=True)
class SheetSection:
    """Samples under one title; the iterable may read them lazily, one by one."""

    title: str
    samples: Iterable[SheetSample]


def save_sample_sheet(
    path: PathLike,
    title: str,
    sections: Iterable[SheetSection],
    class_names: Sequence[str],
    palette: np.ndarray,
) -> None:
    """Writes a PNG with a legend of the classes, and every image next to its overlay.

    Ignored pixels show the plain image. Faulty samples have a red frame.

    Args:
        path: The file to write atomically, with the suffix `.png`.
        title: Title of the sheet.
        sections: The samples.
        class_names: Names of the classes, by id.
        palette: `(classes, 3)` uint8, the RGB colour of each class.

    Raises:
        ValueError: `path` has another suffix.
        ModuleNotFoundError: matplotlib, which contains the font, is not installed.
    """
    check_sheet_path(path)
    width = _COLUMNS * _tile_width() + (_COLUMNS - 1) * _GAP
    colors = [tuple(color) for color in palette.tolist()]
    others = [("ignored", None), ("unknown", UNKNOWN_COLOR)]
    entries = [*zip(drawn_names(tuple(class_names)), colors, strict=True), *others]
    blocks = [_text(title, width, text_size=28), class_legend(entries, width, text_size=20)]
    for section in sections:
        tiles = [_tile(sample, palette) for sample in section.samples]
        blocks.append(_text(section.title, width, text_size=24))
        rows = [tiles[at : at + _COLUMNS] for at in range(0, len(tiles), _COLUMNS)]
        blocks += [side_by_side(row, gap=_GAP) for row in rows]
    with atomic_path(path) as temporary:
        stacked(blocks, _GAP, _MARGIN).save(temporary)


def check_sheet_path(path: PathLike) -> None:
    """Raises `ValueError` unless `path` ends in `.png`."""
    if pathlib.Path(path).suffix != ".png":
        raise ValueError(f"The sheet must be a .png file. Received: {path}")


def _tile(sample: SheetSample, palette: np.ndarray) -> Image.Image:
    """Image and overlay side by side with the name below; framed if faulty."""
    size = _picture_size(sample)
    pictures = [_missing(size, "no image"), _missing(size, "no label")]
    image = Image.new("RGB", size, _NOTHING)
    if sample.image is not None:
        image = Image.fromarray(sample.image).resize(size, Image.Resampling.LANCZOS)
        pictures[0] = image
    if sample.class_ids is not None:
        pictures[1] = _overlay(image, sample.class_ids, palette)

    font = Font(16)
    lines: list[tuple[str, Color]] = [(sample.name, INK)]
    lines += [(sample.fault, FAULT_COLOR)] * bool(sample.fault)
    width = _tile_width()
    tile = Image.new("RGB", (width, size[1] + 2 * _FRAME + len(lines) * line_height(font)), "white")
    draw = ImageDraw.Draw(tile)
    if sample.fault:
        box = (0, 0, 2 * size[0] + _SEAM + 2 * _FRAME - 1, size[1] + 2 * _FRAME - 1)
        draw.rectangle(box, outline=FAULT_COLOR, width=_FRAME)
    for number, picture in enumerate(pictures):
        tile.paste(picture, (_FRAME + number * (size[0] + _SEAM), _FRAME))
    for number, (text, color) in enumerate(lines):
        top = size[1] + 2 * _FRAME + number * line_height(font)
        draw_lines(draw, (_FRAME, top), [shortened(text, font, width - _FRAME)], font, color)
    return tile


def _overlay(image: Image.Image, class_ids: np.ndarray, palette: np.ndarray) -> Image.Image:
    """Overlay of classes and unknown values on the image; ignored pixels show the plain image."""
    ids = np.asarray(Image.fromarray(class_ids).resize(image.size, Image.Resampling.NEAREST))
    shown = overlay_image(np.asarray(image), ids, palette, _OPACITY)
    ignored = Image.fromarray((ids >= len(palette)).astype(np.uint8) * 255)
    shown.paste(image, mask=ignored)
    # A single unknown pixel of a large label must stay visible after downsampling.
    unknown = Image.fromarray((class_ids == NOT_ALLOWED).astype(np.float32))
    share = np.asarray(unknown.resize(image.size, Image.Resampling.BOX))
    spots = Image.fromarray((share > 0).astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(3))
    shown.paste(UNKNOWN_COLOR, mask=spots)
    return shown


def _picture_size(sample: SheetSample) -> tuple[int, int]:
    """Displayed width and height of the sample, with its proportions kept."""
    for pixels in (sample.image, sample.class_ids):
        if pixels is not None:
            height, width = pixels.shape[:2]
            factor = _PICTURE / max(height, width)
            return max(1, round(width * factor)), max(1, round(height * factor))
    return _PICTURE, _PICTURE * 3 // 4


def _missing(size: tuple[int, int], text: str) -> Image.Image:
    picture = Image.new("RGB", size, _NOTHING)
    font = Font(16)
    place = ((size[0] - font.getlength(text)) / 2, size[1] / 2)
    font.draw(ImageDraw.Draw(picture), place, text, "#777777")
    return picture


def _tile_width() -> int:
    return 2 * _PICTURE + _SEAM + 2 * _FRAME


def _text(text: str, width: int, text_size: int) -> Image.Image:
    font = Font(text_size)
    lines = wrapped(text, font, width)
    picture = Image.new("RGB", (width, len(lines) * line_height(font)), "white")
    draw_lines(ImageDraw.Draw(picture), (0, 0), lines, font)
    return picture
