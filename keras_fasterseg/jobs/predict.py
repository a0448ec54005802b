"""Job: segment images, a video or a camera, and write label maps and overlays."""

import contextlib
import pathlib
import time
import urllib.parse
from collections.abc import Sequence

import numpy as np

from keras_fasterseg.classes import recorded_names
from keras_fasterseg.data.class_order import reordered
from keras_fasterseg.data.label_values import label_values
from keras_fasterseg.data.registry import find_source
from keras_fasterseg.files import PathLike
from keras_fasterseg.inference.predictor import Predictor
from keras_fasterseg.inference.video_reader import (
    VIDEO_SUFFIXES,
    VideoReader,
    camera_number,
    is_address,
    is_video,
    shown_address,
)
from keras_fasterseg.jobs.prediction import Prediction
from keras_fasterseg.jobs.segment_files import Segment, find_image_files, segment_files
from keras_fasterseg.jobs.segment_video import SegmentedVideo, segment_video
from keras_fasterseg.run.artefacts import open_artefact
from keras_fasterseg.setting import check_settings, require
from keras_fasterseg.settings.prediction import DATASET, PredictSettings
from keras_fasterseg.visualization.class_styles import class_styles
from keras_fasterseg.visualization.segmentation_pictures import (
    LABEL_MAP,
    OVERLAY,
    SIDE_BY_SIDE,
    SegmentationPictures,
)
from keras_fasterseg.wording import counted


def predict(
    artefact: str,
    images: str,
    output: str,
    settings: PredictSettings | None = None,
    *,
    dataset: str | None = None,
    data_dir: PathLike | None = None,
    class_order: str | None = None,
    class_names: Sequence[str] = (),
    class_colors: Sequence[str] = (),
    progress: bool = True,
) -> Prediction:
    """Segments `images` with `artefact` and writes the pictures to `output`.

    For each image: `NAME.png`, a palette image of class ids, `NAME_overlay.png` and
    `NAME_side_by_side.png`. For a video or a camera: an mp4 of overlays.

    Args:
        artefact: Artefact of the network; see `open_artefact`.
        images: An image, a folder, a pattern, a video file or its address, or `camera:N`.
        output: Folder for the pictures; for a video, a folder or the mp4 file.
        settings: Runtime of the network, and the pictures to write.
        dataset: Name of a data set whose classes are used. For this and the next four arguments,
            see `class_styles`.
        data_dir: Folder of the data set.
        class_order: Order of its classes.
        class_names: Names of the classes.
        class_colors: Colours of the classes.
        progress: Whether to show a progress bar.

    Raises:
        FileNotFoundError: The artefact does not exist.
        DataError: There is no image to segment. This is checked before the networks are loaded.
        RuntimeNotInstalledError: The runtime, or PyAV for a video, is not installed.
        ValueError: An option or the artefact is invalid.
        OSError: The output cannot be written.
    """
    settings = settings or PredictSettings()
    of_video = is_video(images)
    _check(settings, images, output, of_video)
    require(
        settings.side_by_side != artefact,
        f"{artefact} cannot be compared with itself; give --side_by_side another artefact.",
    )
    with contextlib.ExitStack() as stack:
        # Opened before the networks, which take seconds to load.
        kinds = (OVERLAY,) if settings.overlay_only else (LABEL_MAP, OVERLAY, SIDE_BY_SIDE)
        found = (
            stack.enter_context(VideoReader(images))
            if of_video
            else find_image_files(images, output, kinds)
        )
        values = None
        if settings.ids == DATASET:
            require(
                dataset is not None and not class_names,
                "--ids=dataset writes the ids of a data set's label files; set --dataset, and do "
                "not set --class_names.",
            )
            values = _label_values(str(dataset), data_dir, class_order)
        names = [artefact] if settings.side_by_side is None else [artefact, settings.side_by_side]
        networks = {name: _open(name, settings) for name in names}
        first = _first_of_like(networks)
        styles = class_styles(
            first.runner.metadata,
            dataset,
            class_names,
            class_colors,
            data_dir=data_dir,
            class_order=class_order,
        )
        pictures = SegmentationPictures(
            styles.palette,
            kinds,
            styles.names,
            settings.opacity,
            settings.legend,
            titles=(names[0], names[-1]),
            label_values=values,
        )
        segments = tuple(networks.values())
        started = time.perf_counter()
        if not isinstance(found, VideoReader):
            made = segment_files(
                segments,
                found,
                pictures,
                max_megapixels=settings.max_megapixels,
                progress=progress,
            )
            count, failures = len(made.done), made.failures
            what = f"Wrote the pictures of {counted(count, 'image')} to {output}"
        else:
            target = _video_target(images, output)
            video = _of_video(segments, found, target, pictures, settings, progress)
            count, failures = video.frames, video.failures
            what = f"Wrote {counted(count, 'frame')} to {video.path}"
        seconds = time.perf_counter() - started
    unit = "frame" if of_video else "image"
    return Prediction(what, failures, count, unit, seconds, networks)


def _label_values(dataset: str, data_dir: PathLike | None, class_order: str | None) -> np.ndarray:
    source = find_source(dataset, None if data_dir is None else pathlib.Path(data_dir))
    values = label_values(source)
    if class_order is None:
        return values
    _, positions = reordered(source.class_names, class_order)
    return values[positions]


def _of_video(
    segments: Sequence[Segment],
    reader: VideoReader,
    target: pathlib.Path,
    pictures: SegmentationPictures,
    settings: PredictSettings,
    progress: bool,
) -> SegmentedVideo:
    require(
        not pictures.legend or pictures.class_names is not None,
        "The legend of a video lists all classes, but their names are not known; give them with "
        "--dataset or --class_names.",
    )
    label_maps = target.with_name(f"{target.stem}_label_maps") if settings.label_maps else None
    return segment_video(
        segments,
        reader,
        target,
        pictures,
        label_maps=label_maps,
        max_frames=settings.max_frames,
        progress=progress,
    )


def _check(settings: PredictSettings, images: str, output: str, of_video: bool) -> None:
    check_settings(settings)
    require(
        settings.opacity <= 1,
        f"--opacity must be at most 1. Received: --opacity={settings.opacity}",
    )
    require(
        settings.ids != DATASET or (settings.label_maps if of_video else not settings.overlay_only),
        "--ids=dataset is for label maps; "
        + ("add --label_maps." if of_video else "remove --overlay_only."),
    )
    if not of_video:
        require(
            _suffix(output) not in VIDEO_SUFFIXES,
            f"For images, --output must be a folder. Received: --output={output}",
        )
        require(
            settings.side_by_side is None or not settings.overlay_only,
            "--side_by_side and --overlay_only exclude each other; remove one of them.",
        )
        require(
            settings.max_frames is None and not settings.label_maps,
            "--max_frames and --label_maps are for videos and cameras. "
            f"Received: --images={images}",
        )
        return
    target = _video_target(images, output)
    require(
        _suffix(output) in ("", ".mp4") or pathlib.Path(output).is_dir(),
        f"For a video, --output must be an .mp4 file or a folder. Received: --output={output}",
    )
    require(
        target.resolve() != pathlib.Path(images).resolve(),
        f"{images} would be overwritten by its own result; choose another --output.",
    )


def _video_target(images: str, output: str) -> pathlib.Path:
    path = pathlib.Path(output)
    if _suffix(output) == ".mp4" and not path.is_dir():
        return path
    number, name = camera_number(images), pathlib.Path(images).stem
    if number is not None:
        name = f"camera_{number}"
    elif is_address(images):
        address = urllib.parse.urlsplit(shown_address(images))
        name = pathlib.PurePosixPath(address.path).stem or address.hostname or "stream"
    return path / f"{name}.mp4"


def _suffix(path: str) -> str:
    return pathlib.Path(path).suffix.lower()


def _open(artefact: str, settings: PredictSettings) -> Predictor:
    runner = open_artefact(
        artefact,
        settings.runtime,
        threads=settings.threads,
        input_size=settings.input_size,
        outputs="class_ids",
    )
    predictor = Predictor(runner, stretch=settings.stretch)
    predictor.load()
    return predictor


def _first_of_like(networks: dict[str, Predictor]) -> Predictor:
    """Returns the first network if all have the same classes, as far as they record them."""
    counts = {name: each.runner.metadata.get("num_classes") for name, each in networks.items()}
    known = {name: count for name, count in counts.items() if count is not None}
    require(
        len(set(known.values())) < 2,
        "Networks that are compared must have the same classes: "
        + ", ".join(f"{name} has {count}" for name, count in known.items())
        + ".",
    )
    names = {name: recorded_names(each.runner.metadata) for name, each in networks.items()}
    named = {name: each for name, each in names.items() if each is not None}
    require(
        len(set(named.values())) < 2,
        "Networks that are compared must have the same classes in the same order: "
        + "; ".join(f"{name} has {', '.join(each)}" for name, each in named.items())
        + ".",
    )
    return next(iter(networks.values()))
