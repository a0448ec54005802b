"""Job: write a video of overlays from the frames of another video or a camera."""

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
    "Frame %d of %s differs in size from the first; it is resized to fit into the first, with "
    "black margins."
)


@dataclasses.dataclass(frozen=True)
class SegmentedVideo:
    """The video that was written, and its failures.

    Attributes:
        path: The video that was written.
        frames: Its number of frames.
        failures: A sentence for every fault of the source.
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

    A frame whose size differs from the first, as in joined streams, is fitted into the first size.
    After an interruption, the video of a camera ends there; that of a file is not written.

    Args:
        segments: One source of class ids, or two whose overlays are shown side by side.
        reader: Source of the frames.
        target: The mp4 to write. An existing file is overwritten.
        pictures: Style of the overlays. A legend has all named classes, so that it does not
            change between frames.
        label_maps: A new folder for the class ids of every frame, `000000.png` and so on, by the
            first segment.
        max_frames: Maximum number of frames; None reads the source to its end.
        progress: Whether to show a progress bar.

    Raises:
        DataError: The source has no frame that can be read.
        FileExistsError: `label_maps` exists.
        ValueError: A frame is too small for the network.
        OSError: A file cannot be written.
    """
    if label_maps is not None and label_maps.exists():
        raise FileExistsError(f"{label_maps} exists; remove it or choose another --output.")
    # The legend is the same in all frames.
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
            # An interruption is the normal end of a camera.
            if not reader.is_live or not count:
                raise
        if not count:
            raise DataError(
                f"{reader.name} has no frame that can be read; "
                + ("check that the camera is on." if reader.is_live else "replace the file.")
            )
    return SegmentedVideo(target, count, reader.faults)


def _overlays(frame: Frame, maps: list[np.ndarray], pictures: SegmentationPictures) -> Image.Image:
    if len(maps) > 1:
        return pictures.side_by_side(frame.pixels, *maps)
    return pictures.overlay(frame.pixels, *maps)


def _least(*counts: int | None) -> int | None:
    return min((count for count in counts if count is not None), default=None)
