"""Job: follow the objects of videos, and write their masks and overlays."""

import contextlib
import dataclasses
import fractions
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from keras_fasterseg.benchmark.statistics import TimeStatistics, fps_text
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_image
from keras_fasterseg.data.image_listing import find_images
from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.inference.video_reader import Frame, VideoReader, is_video
from keras_fasterseg.inference.video_writer import VideoWriter
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.run.object_networks import open_object_runner
from keras_fasterseg.setting import check_settings
from keras_fasterseg.settings.video import TrackSettings
from keras_fasterseg.video_objects.davis import PALETTE, Davis, read_mask, write_mask
from keras_fasterseg.video_objects.object_runner import FollowedVideo, ObjectRunner
from keras_fasterseg.video_objects.tracker import TrackerOptions
from keras_fasterseg.visualization.label_map import overlay_image
from keras_fasterseg.wording import counted

# That of DAVIS; a folder of images has none.
_FRAME_RATE = fractions.Fraction(24)
_UNNAMED = "video"


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


@dataclasses.dataclass(frozen=True)
class Tracking:
    """Videos whose objects were followed.

    Attributes:
        output: The folder with their masks.
        videos: Their number.
        frames: Number of their frames.
        seconds: Duration from the first frame read to the last file written.
        network_seconds: Seconds of the network per frame, without the first frame.
        tracker_seconds: Seconds of the tracker per frame, likewise.
        runner: Runner metadata.
        network_size: Height and width of the network's images.
        failures: A sentence for every fault of a source.
    """

    output: pathlib.Path
    videos: int
    frames: int
    seconds: float
    network_seconds: tuple[float, ...]
    tracker_seconds: tuple[float, ...]
    runner: dict[str, object]
    network_size: tuple[int, int]
    failures: tuple[str, ...] = ()

    def text(self) -> str:
        """The result as text: files and frame rates."""
        lines = [
            f"Wrote the masks of {counted(self.frames, 'frame')} of "
            f"{counted(self.videos, 'video')} to {self.output}",
            f"End to end: {fps_text(self.frames / self.seconds)} FPS ({self.seconds:.1f} s, from "
            "reading to writing, including first calls but not loading)",
        ]
        if self.network_seconds:
            pairs = zip(self.network_seconds, self.tracker_seconds, strict=True)
            loop = [network + tracker for network, tracker in pairs]
            height, width = self.network_size
            threads = counted(int(str(self.runner["threads"])), "thread")
            for name, seconds in (
                ("Network and tracker", loop),
                ("Network with resizing and masks", self.network_seconds),
            ):
                times = TimeStatistics.from_seconds(seconds)
                lines.append(
                    f"{name}: {fps_text(1000 / times.p50_ms)} FPS (p50 {times.p50_ms:.1f} ms of "
                    f"{times.repetitions} frames, without each first one; from a frame in host "
                    f"memory, resized to {height}x{width}, {self.runner['runtime']} on "
                    f"{self.runner['device']}, {threads})"
                )
        return "\n".join(lines)


def track(
    artefact: PathLike,
    source: str,
    output: PathLike,
    settings: TrackSettings | None = None,
    *,
    first_mask: PathLike | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Tracking:
    """Follows the objects of one video: writes OUTPUT/NAME/00000.png … and OUTPUT/NAME.mp4.

    NAME is that of the file or folder. Masks are PNG files of ids with the palette of DAVIS.

    Args:
        artefact: `network.keras` of `tools.train_video`, or an export of it.
        source: A video file or its address, `camera:N`, or a folder of images.
        output: Folder to write to.
        settings: Tracker and files.
        first_mask: Mask of the first frame, a PNG file of ids, whose objects are followed. None
            follows everything that the network finds.
        overwrite: Whether to replace earlier masks of this video.
        progress: Whether to show a progress bar.

    Raises:
        FileNotFoundError: The artefact does not exist.
        FileExistsError: The masks exist.
        DataError: The source does not exist, cannot be read or changes its size.
        RuntimeNotInstalledError: The runtime, or PyAV for a video, is not installed.
        ValueError: An option, the artefact or the mask is invalid.
        OSError: The output cannot be written.
    """
    settings = settings or TrackSettings()
    check_settings(settings)
    mask = None
    if first_mask is not None:
        mask = read_mask(pathlib.Path(first_mask), settings.max_megapixels)
    with contextlib.ExitStack() as stack:
        reader = None
        if is_video(source):
            reader = stack.enter_context(VideoReader(source))
            video = Video(
                _name_of(reader.name),
                ((f"{number:05}", frame) for number, frame in enumerate(reader)),
                reader.frame_rate,
                reader.time_base,
                mask,
                reader.frame_count,
                reader.is_live,
            )
        else:
            folder = pathlib.Path(source)
            paths = find_images(folder)
            if not paths:
                raise DataError(f"{folder} has no images.")
            video = _of_files(folder.resolve().name or _UNNAMED, paths, settings, mask)
            _check_apart(pathlib.Path(output) / video.name, folder)
        tracking = _track(artefact, [video], pathlib.Path(output), settings, overwrite, progress)
    failures = () if reader is None else reader.faults
    return dataclasses.replace(tracking, failures=failures)


def track_split(
    artefact: PathLike,
    davis: Davis,
    split: str,
    output: PathLike,
    settings: TrackSettings | None = None,
    *,
    overwrite: bool = False,
    progress: bool = True,
) -> Tracking:
    """Follows the objects of all sequences of a split, from the masks of their first frames.

    Writes OUTPUT/SEQUENCE/00000.png … and OUTPUT/SEQUENCE.mp4; see `track`.

    Raises:
        DataError: A first frame has no mask, or a file is missing or faulty.
    """
    settings = settings or TrackSettings()
    check_settings(settings)
    _check_apart(pathlib.Path(output), davis.root)
    videos = []
    for sequence in davis.sequences(split):
        first = sequence.masks[0]
        if first is None:
            raise DataError(
                f"The first frame of {sequence.name} in {davis.root} has no mask; it says which "
                "objects to follow."
            )
        mask = davis.read_mask(first)
        videos.append(_of_files(sequence.name, sequence.frames, settings, mask))
    return _track(artefact, videos, pathlib.Path(output), settings, overwrite, progress)


def _name_of(source: str) -> str:
    """Name for the masks of a file, a camera or an address, never that of another folder."""
    name = pathlib.PurePosixPath(source.replace(":", "_")).stem
    return _UNNAMED if name in ("", ".", "..") else name


def _check_apart(output: pathlib.Path, source: pathlib.Path) -> None:
    """Raises `ValueError` if the output lies in the source, which it could replace."""
    if output.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{output} lies in the source {source}; choose another --output.")


def _check_free(path: pathlib.Path, overwrite: bool) -> None:
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists; pass --overwrite (overwrite=True) or choose another folder."
        )
    others = [each for each in path.iterdir() if each.suffix != ".png"] if path.is_dir() else []
    if others:
        raise FileExistsError(
            f"{path} holds more than masks ({others[0].name}), so it is not overwritten; choose "
            "another folder."
        )


def _of_files(
    name: str,
    paths: Sequence[pathlib.Path],
    settings: TrackSettings,
    mask: np.ndarray | None,
) -> Video:
    frames = (
        (path.stem, Frame(read_image(path, settings.max_megapixels), number))
        for number, path in enumerate(paths)
    )
    return Video(name, frames, _FRAME_RATE, 1 / _FRAME_RATE, mask, len(paths))


def _track(
    artefact: PathLike,
    videos: Sequence[Video],
    output: pathlib.Path,
    settings: TrackSettings,
    overwrite: bool,
    progress: bool,
) -> Tracking:
    for video in videos:
        for path in (output / video.name, output / f"{video.name}.mp4"):
            _check_free(path, overwrite)
    runner = open_object_runner(artefact, settings.threads)
    totals = [video.total for video in videos]
    total = None if None in totals else sum(each for each in totals if each is not None)
    if settings.max_frames is not None and len(videos) == 1:
        total = min(settings.max_frames, total or settings.max_frames)
    network: list[float] = []
    tracker: list[float] = []
    count = 0
    with progress_bar(None, "Following", unit="frame", total=total, show=progress) as bar:
        for video in videos:
            followed = _write_video(runner, video, output, settings, bar)
            count += len(followed.network_seconds)
            network += followed.network_seconds[1:]
            tracker += followed.tracker_seconds[1:]
        seconds = bar.format_dict["elapsed"]
    return Tracking(
        output,
        len(videos),
        count,
        max(seconds, 1e-9),
        tuple(network),
        tuple(tracker),
        runner.describe(),
        runner.network_size,
    )


def _write_video(
    runner: ObjectRunner, video: Video, output: pathlib.Path, settings: TrackSettings, bar
) -> FollowedVideo:
    named, pixels = itertools.tee(
        _of_one_size(itertools.islice(video.frames, settings.max_frames), video.name)
    )
    followed = FollowedVideo(
        runner,
        (frame.pixels for _, frame in pixels),
        video.first_mask,
        TrackerOptions(embeddings=settings.embeddings),
    )
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(atomic_path(output / video.name))
        folder.mkdir()
        writer = None
        if settings.overlays:
            target = stack.enter_context(atomic_path(output / f"{video.name}.mp4"))
            writer = stack.enter_context(VideoWriter(target, video.frame_rate, video.time_base))
        count = 0
        try:
            for ids in followed:
                name, frame = next(named)
                write_mask(folder / f"{name}.png", ids)
                if writer is not None:
                    writer.write(overlay(frame.pixels, ids, settings.opacity), frame.timestamp)
                count += 1
                bar.update()
        except KeyboardInterrupt:
            # An interruption is the normal end of a camera.
            if not video.is_live or not count:
                raise
        if not count:
            raise DataError(f"{video.name} has no frame that can be read; replace the file.")
    return followed


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
