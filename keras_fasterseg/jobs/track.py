"""Job: follow the objects of videos, and write their masks and overlays."""

import contextlib
import dataclasses
import fractions
import pathlib
import time
from collections.abc import Sequence

import numpy as np

from keras_fasterseg.benchmark.statistics import TimeStatistics, fps_text
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_image
from keras_fasterseg.data.image_listing import find_images, in_numeric_order
from keras_fasterseg.files import PathLike
from keras_fasterseg.inference.video_reader import Frame, VideoReader, is_video
from keras_fasterseg.jobs.tracked_videos import TrackedVideos, Video
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.run.object_networks import open_object_runner
from keras_fasterseg.setting import check_settings
from keras_fasterseg.settings.video import TrackSettings
from keras_fasterseg.video_objects.davis import Davis, read_mask
from keras_fasterseg.wording import counted

# That of DAVIS; a folder of images has none.
_FRAME_RATE = fractions.Fraction(24)
_UNNAMED = "video"


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
        FileExistsError: The masks exist, or something else is in their place.
        DataError: The source does not exist, cannot be read or changes its size.
        RuntimeNotInstalledError: The runtime, or PyAV for a video, is not installed.
        ValueError: An option, the artefact or the mask is invalid.
        OSError: The output cannot be written.
    """
    settings = settings or TrackSettings()
    check_settings(settings)
    results = TrackedVideos(pathlib.Path(output), overwrite)
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
            paths = in_numeric_order(find_images(folder))
            if not paths:
                raise DataError(f"{folder} has no images.")
            stems = [path.stem for path in paths]
            twice = [stem for stem in dict.fromkeys(stems) if stems.count(stem) > 1]
            if twice:
                raise DataError(f"{folder} has two images named {twice[0]}; remove one of them.")
            video = _of_files(folder.resolve().name or _UNNAMED, paths, settings, mask)
        sources = [pathlib.Path(each) for each in (source, first_mask) if each is not None]
        results.check([video.name], sources)
        tracking = _track(artefact, [video], results, settings, progress)
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
    results = TrackedVideos(pathlib.Path(output), overwrite)
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
    results.check([video.name for video in videos], [davis.root])
    return _track(artefact, videos, results, settings, progress)


def _name_of(source: str) -> str:
    """Name for the masks of a file, a camera or an address, never that of another folder."""
    name = pathlib.PurePosixPath(source.replace(":", "_")).stem
    return _UNNAMED if name in ("", ".", "..") else name


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
    results: TrackedVideos,
    settings: TrackSettings,
    progress: bool,
) -> Tracking:
    runner = open_object_runner(artefact, settings.threads)
    limit = settings.max_frames
    totals = [
        limit if each.total is None or (limit or each.total) < each.total else each.total
        for each in videos
    ]
    total = None if None in totals else sum(each for each in totals if each is not None)
    network: list[float] = []
    tracker: list[float] = []
    count, start = 0, time.perf_counter()
    with progress_bar(None, "Following", unit="frame", total=total, show=progress) as bar:
        for video in videos:
            followed = results.write(runner, video, settings, bar)
            count += len(followed.tracker_seconds)
            network += followed.network_seconds[1:]
            tracker += followed.tracker_seconds[1:]
    return Tracking(
        results.folder,
        len(videos),
        count,
        time.perf_counter() - start,
        tuple(network),
        tuple(tracker),
        runner.describe(),
        runner.network_size,
    )
