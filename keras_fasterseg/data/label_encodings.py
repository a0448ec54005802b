"""Checks that all label files of a data set encode ids in the same way.

A palette index is an id only if it has the same colour in every file: image editors reorder the
palette of each file.
"""

import concurrent.futures
import itertools
import pathlib
from collections.abc import Iterable

import numpy as np

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_encoding import GREY, ImageEncoding
from keras_fasterseg.data.image_files import load_label, read_header
from keras_fasterseg.data.label_decoding import readings_of_few_bits
from keras_fasterseg.data.source import Sample, SegmentationSource
from keras_fasterseg.wording import counted


def check_label_encodings(source: SegmentationSource, samples: Iterable[Sample]) -> None:
    """Compares the encodings of the labels of `samples`, using only headers where these suffice.

    Unreadable files are skipped; reading them reports the error.

    Raises:
        DataError: Labels hold ids, and either their palettes differ in an index that is used, or
            grey labels of few bits are mixed with labels of more bits and are ambiguous.
    """
    if not source.has_files or source.label_colors is not None:
        return
    labels = list(dict.fromkeys(sample.label for sample in samples))
    with concurrent.futures.ThreadPoolExecutor(available_cores().reading_threads) as threads:
        found = zip(labels, threads.map(_header, labels), strict=True)
        encodings = {path: encoding for path, encoding in found if encoding is not None}
        _check_palettes(source, encodings, threads)
    _check_bits(source, encodings)


def _header(path: pathlib.Path) -> ImageEncoding | None:
    try:
        return read_header(path)
    except DataError:
        return None


def _check_palettes(
    source: SegmentationSource,
    encodings: dict[pathlib.Path, ImageEncoding],
    threads: concurrent.futures.Executor,
) -> None:
    files: dict[bytes, list[pathlib.Path]] = {}
    for path, encoding in encodings.items():
        if encoding.palette:
            files.setdefault(encoding.palette, []).append(path)
    # A shorter palette may be the start of a longer one, because that file has no higher ids.
    longest = max(files, key=len, default=b"")
    if all(longest.startswith(palette) for palette in files):
        return
    indexed = [path for paths in files.values() for path in paths]
    histograms = threads.map(lambda path: _histogram(path, source), indexed)
    used = np.flatnonzero(sum(histograms, np.zeros(256, np.int64)))
    for (palette, paths), (other, other_paths) in itertools.combinations(files.items(), 2):
        entries, others = (_entries(each) for each in (palette, other))
        common = used[used < min(len(entries), len(others))]
        differing = common[np.any(entries[common] != others[common], axis=-1)]
        if len(differing):
            index = int(differing[0])
            raise DataError(
                f"The palettes of labels differ: the index {index} is "
                f"{tuple(entries[index].tolist())} in {paths[0]} and "
                f"{tuple(others[index].tolist())} in {other_paths[0]}, so indices cannot be ids; "
                "if the colours are right, describe them in dataset.yaml with `labels: colors`, "
                "else store all labels with the same palette."
            )


def _histogram(path: pathlib.Path, source: SegmentationSource) -> np.ndarray:
    try:
        return np.array(load_label(path, source).pixels.histogram())
    except DataError:
        return np.zeros(256, np.int64)


def _entries(palette: bytes) -> np.ndarray:
    return np.frombuffer(palette, np.uint8).reshape(-1, 3)


def _check_bits(source: SegmentationSource, encodings: dict[pathlib.Path, ImageEncoding]) -> None:
    first_of: dict[int, pathlib.Path] = {}
    for path, encoding in encodings.items():
        if encoding.kind == GREY:
            first_of.setdefault(encoding.bits, path)
    few, *more = sorted(first_of) or (8,)
    if not more or few >= 8:
        return
    plain, stretched = readings_of_few_bits(few, source)
    if np.any((plain != stretched) & _allowed(plain, source) & _allowed(stretched, source)):
        raise DataError(
            f"Labels have {counted(few, 'bit')} ({first_of[few]}) and {more[-1]} bits "
            f"({first_of[more[-1]]}), so the values of the former may be ids of {source.name}, or "
            "values of 0-255 that a program reduced to save space; store all labels with 8 bits."
        )


def _allowed(train_ids: np.ndarray, source: SegmentationSource) -> np.ndarray:
    return (train_ids < source.num_classes) | (train_ids == source.ignore_label)
