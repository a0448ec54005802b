"""Masks and overlays of videos whose objects were followed, and the folder that holds them."""

import contextlib
import dataclasses
import fractions
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.files import atomic_path, read_json, write_json
from keras_fasterseg.inference.video_reader import Frame
from keras_fasterseg.inference.video_writer import VideoWriter
from keras_fasterseg.settings.video import TrackSettings
from keras_fasterseg.video_objects.davis import PALETTE, write_mask
from keras_fasterseg.video_objects.object_runner import FollowedVideo, ObjectRunner
from keras_fasterseg.video_objects.tracker import TrackerOptions
from keras_fasterseg.visualization.label_map import overlay_image

RECORD = "track.json"


@dataclasses.dataclass(frozen=True)
class Video:
    """Frames to read, once.

    Attributes:
        name: Name of the folder of its masks.
        frames: Pairs of a name and a frame, in order.
        frame_rate: Average frames per second.
        time_base: Seconds per unit of the frames' timestamps.
        first_mask: uint8 ids of the first frame; None follows everything that is found.
        total: Number of frames, if known.
        is_live: Whether an interruption is its normal end.
    """

    name: str
    frames: Iterable[tuple[str, Frame]]
    frame_rate: fractions.Fraction
    time_base: fractions.Fraction
    first_mask: np.ndarray | None = None
    total: int | None = None
    is_live: bool = False


class TrackedVideos:
    """A folder of masks and overlays, with a record of the videos whose results it holds.

    Only what the record names is ever replaced.

    Args:
        folder: The folder; created when needed.
        overwrite: Whether earlier results of a video may be replaced.

    Raises:
        ValueError: The record is not one of this package.
    """

    def __init__(self, folder: pathlib.Path, overwrite: bool) -> None:
        self.folder = folder
        self._overwrite = overwrite
        record = read_json(folder / RECORD) if (folder / RECORD).is_file() else {"videos": {}}
        videos = record.get("videos") if isinstance(record, dict) else None
        if not isinstance(videos, dict):
            raise ValueError(f"{folder / RECORD} was not written by tools.track; remove it.")
        self._videos: dict[str, Any] = videos

    def check(self, names: Sequence[str], sources: Sequence[pathlib.Path]) -> None:
        """Checks that the results of videos can be written, and would replace no input.

        Args:
            names: Names of the videos.
            sources: Files and folders that are read.

        Raises:
            FileExistsError: A target exists, and is not a result that may be replaced.
            ValueError: Two videos have the same target, or a target would replace an input.
        """
        targets = [path for name in names for path in self._targets(name)]
        twice = [path for path in dict.fromkeys(targets) if targets.count(path) > 1]
        if twice:
            raise ValueError(
                f"{twice[0]} would hold the results of two videos; rename one of them."
            )
        for name in names:
            for path in self._targets(name):
                _check_apart(path, sources)
                if not path.exists():
                    continue
                if name not in self._videos:
                    raise FileExistsError(
                        f"{path} exists, and was not written by tools.track; choose another folder."
                    )
                if not self._overwrite:
                    raise FileExistsError(
                        f"{path} exists; pass --overwrite (overwrite=True) or choose another "
                        "folder."
                    )

    def write(
        self, runner: ObjectRunner, video: Video, settings: TrackSettings, bar: Any
    ) -> FollowedVideo:
        """Follows the objects of a video and writes its results, all or none.

        Args:
            runner: The network.
            video: The video.
            settings: Tracker and files.
            bar: Progress bar of the frames.

        Raises:
            DataError: The video has no frame, or frames of several sizes.
            OSError: A file cannot be written.
        """
        named, pixels = itertools.tee(
            _of_one_size(itertools.islice(video.frames, settings.max_frames), video.name)
        )
        followed = FollowedVideo(
            runner,
            (frame.pixels for _, frame in pixels),
            video.first_mask,
            TrackerOptions(embeddings=settings.embeddings),
        )
        masks, overlays = self._targets(video.name)
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(atomic_path(masks))
            folder.mkdir()
            writer = None
            if settings.overlays:
                target = stack.enter_context(atomic_path(overlays))
                writer = stack.enter_context(VideoWriter(target, video.frame_rate, video.time_base))
            done: list[str] = []
            try:
                for ids in followed:
                    name, frame = next(named)
                    write_mask(folder / f"{name}.png", ids)
                    if writer is not None:
                        writer.write(overlay(frame.pixels, ids, settings.opacity), frame.timestamp)
                    done.append(f"{name}.png")
                    bar.update()
            except KeyboardInterrupt:
                # An interruption is the normal end of a camera.
                if not video.is_live or not done:
                    raise
                for path in folder.iterdir():
                    if path.name not in done:
                        path.unlink()
            if not done:
                raise DataError(f"{video.name} has no frame that can be read; replace the file.")
            self._videos[video.name] = {"frames": len(done), "runner": runner.describe()}
            write_json(self.folder / RECORD, {"videos": self._videos})
        if not settings.overlays:
            # That of earlier masks.
            overlays.unlink(missing_ok=True)
        return followed

    def _targets(self, name: str) -> tuple[pathlib.Path, pathlib.Path]:
        return self.folder / name, self.folder / f"{name}.mp4"


def _check_apart(target: pathlib.Path, sources: Sequence[pathlib.Path]) -> None:
    target = target.resolve()
    for source in sources:
        resolved = source.resolve()
        if target.is_relative_to(resolved) or resolved.is_relative_to(target):
            raise ValueError(
                f"{source} would be replaced by results in {target}; choose another --output."
            )


def _of_one_size(frames: Iterable[tuple[str, Frame]], video: str) -> Iterator[tuple[str, Frame]]:
    size = None
    for name, frame in frames:
        size = frame.pixels.shape if size is None else size
        if frame.pixels.shape != size:
            raise DataError(
                f"Frame {name} of {video} is {frame.pixels.shape[0]}x{frame.pixels.shape[1]}, but "
                f"the first one is {size[0]}x{size[1]}; objects can be followed in frames of one "
                "size only."
            )
        yield name, frame


def overlay(frame: np.ndarray, ids: np.ndarray, opacity: float) -> np.ndarray:
    """The frame with every object blended with its colour; the background is unchanged."""
    blended = np.asarray(overlay_image(frame, ids, PALETTE, opacity))
    return np.where(ids[..., None] == 0, frame, blended)
