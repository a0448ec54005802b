"""Sheet of sample pictures for the inspection of a data set."""

from collections.abc import Iterator, Sequence

import numpy as np

from keras_fasterseg.data.image_files import load_image, load_label
from keras_fasterseg.data.label_decoding import decode_label
from keras_fasterseg.data.sample_inspection import SampleInspection
from keras_fasterseg.data.source import SegmentationSource
from keras_fasterseg.files import PathLike
from keras_fasterseg.reports.inspect_dataset import DatasetInspection
from keras_fasterseg.visualization.sample_sheet import (
    SheetSample,
    SheetSection,
    save_sample_sheet,
)
from keras_fasterseg.wording import counted


def save_inspection_sheet(
    path: PathLike,
    inspection: DatasetInspection,
    source: SegmentationSource,
    images_per_split: int,
) -> None:
    """Writes a PNG of images next to their labels; faulty ones have a frame.

    Args:
        path: The file to write, with the suffix `.png`.
        inspection: The findings.
        source: The data set.
        images_per_split: Number of images per split. About half are faulty ones, if the split has
            enough; both kinds are evenly spaced in the split.

    Raises:
        ValueError: `path` has another suffix.
    """
    sections = []
    for split in inspection.splits:
        chosen = choose_samples(split.samples, images_per_split)
        title = f"{split.name}: {len(chosen)} of {counted(len(split.samples), 'image')}"
        num_faulty = sum(1 for each in split.samples if each.faults)
        if num_faulty:
            title += (
                f", including {sum(1 for each in chosen if each.faults)} of {num_faulty} faulty"
            )
        sections.append(SheetSection(title, (_read(each, source) for each in chosen)))
    title = f"{inspection.dataset} in {inspection.root}"
    save_sample_sheet(path, title, sections, source.class_names, source.palette)


def choose_samples(samples: Sequence[SampleInspection], count: int) -> list[SampleInspection]:
    """Chooses `count` samples (all if there are fewer), in order; up to half of them are faulty.

    More than half are faulty if there are not enough good ones.
    """
    faulty = [index for index, each in enumerate(samples) if each.faults]
    good = [index for index, each in enumerate(samples) if not each.faults]
    num_faulty = min(len(faulty), max((count + 1) // 2, count - len(good)))
    chosen = [*_evenly(faulty, num_faulty), *_evenly(good, count - num_faulty)]
    return [samples[index] for index in sorted(chosen)]


def _evenly(indices: Sequence[int], count: int) -> Iterator[int]:
    count = min(count, len(indices))
    return (indices[(2 * number + 1) * len(indices) // (2 * count)] for number in range(count))


def _read(inspection: SampleInspection, source: SegmentationSource) -> SheetSample:
    sample, image, class_ids = inspection.sample, None, None
    # Files that could not be read during the inspection are skipped.
    if inspection.image_mode is not None:
        image = np.asarray(load_image(sample.image, source).pixels.convert("RGB"))
    if inspection.label_mode is not None:
        label = load_label(sample.label, source)
        decoded = decode_label(label.pixels, label.encoding, sample.label, source)
        class_ids = decoded.train_ids
    fault = ", ".join(fault.kind for fault in inspection.faults)
    return SheetSample(sample.image.name, image, class_ids, fault)
