"""Job: a video of overlays, made of the frames of another one or of a camera."""

import contextlib
import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Sequence

import numpy as np
from absl import logging
from PIL import Image, ImageOps

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.files import atomic_path
from keras_fasterseg.inference.video_reader import Frame, VideoReader
from keras_fasterseg.inference.video_writer import VideoWriter
from keras_fasterseg.jobs.segment_files import Segment
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.visualization.panels import stacked
from keras_fasterseg.visualization.segmentation_pictures import SegmentationPictures

_OTHER_SIZE = (
    "Frame %d of %s has another size than the first; it is shown in the size of the first, between "
    "black margins."
)


@dataclasses.dataclass(frozen=True)
class SegmentedVideo:
    """Frames that were segmented, and their source.

    Attributes:
        path: The video that was written.
        frames: How many frames it has.
        failures: A sentence for what could not be read.
    """

    path: pathlib.Path
    frames: int
    failures: tuple[str, ...]


def segment_video(
    segments: Sequence[Segment],
    reader: VideoReader,
    target: pathlib.Path,
    pictures: SegmentationPictures,
    *,
    label_maps: pathlib.Path | None = None,
    max_frames: int | None = None,
    progress: bool = False,
) -> SegmentedVideo:
    """Writes the overlays of all frames to `target`, each shown when the source shows its own.

    A frame of another size than the first, as joined streams have, is fitted into that size.
    Interrupted, it leaves what a camera has given until then, and nothing of a file.

    Args:
        segments: What gives the class ids: one, or two whose overlays stand side by side.
        reader: Gives the frames.
        target: The mp4 to write. What is there is overwritten.
        pictures: How overlays look; a legend has all classes that have a name, so that it stays
            where it is.
        label_maps: A new folder for the class ids of every frame, `000000.png` and so on, by the
            first segment.
        max_frames: After how many frames it ends; None: with the source.
        progress: Whether there is a progress bar.

    Raises:
        DataError: The source has no frame that can be read.
        FileExistsError: `label_maps` exists.
        ValueError: A frame is smaller than the network takes.
        OSError: A file cannot be written.
    """
    if label_maps is not None and label_maps.exists():
        raise FileExistsError(f"{label_maps} exists; remove it or choose another --output.")
    # The same in all frames.
    legend = functools.cache(
        lambda width: pictures.legend_of(range(len(pictures.class_names or ())), width)
    )
    count, size, is_told = 0, None, False
    with contextlib.ExitStack() as stack:
        folder = None
        if label_maps is not None:
            folder = stack.enter_context(atomic_path(label_maps))
            folder.mkdir()
        temporary = stack.enter_context(atomic_path(target))
        writer = stack.enter_context(VideoWriter(temporary, reader.frame_rate, reader.time_base))
        frames = progress_bar(
            itertools.islice(reader, max_frames),
            "Segmenting",
            unit="frame",
            total=_least(reader.frame_count, max_frames),
            show=progress,
        )
        try:
            for frame in frames:
                maps = [segment(frame.pixels[np.newaxis])[0] for segment in segments]
                picture = _overlays(frame, maps, pictures)
                if size is None:
                    size = picture.size
                elif picture.size != size:
                    if not is_told:
                        is_told = True
                        logging.warning(_OTHER_SIZE, count, reader.name)
                    picture = ImageOps.pad(picture, size)
                if pictures.legend:
                    picture = stacked([picture, legend(picture.width)])
                writer.write(np.asarray(picture), frame.timestamp)
                if folder is not None:
                    pictures.label_map(maps[0]).save(folder / f"{count:06}.png")
                count += 1
        except KeyboardInterrupt:
            # A camera has no other end.
            if not reader.is_live or not count:
                raise
        if not count:
            raise DataError(
                f"{reader.name} has no frame that can be read; "
                + ("see that the camera is on." if reader.is_live else "replace the file.")
            )
    return SegmentedVideo(target, count, reader.faults)


def _overlays(frame: Frame, maps: list[np.ndarray], pictures: SegmentationPictures) -> Image.Image:
    if len(maps) > 1:
        return pictures.side_by_side(frame.pixels, *maps)
    return pictures.overlay(frame.pixels, *maps)


def _least(*counts: int | None) -> int | None:
    return min((count for count in counts if count is not None), default=None)
