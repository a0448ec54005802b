"""Generated sequences of moving objects with exact masks, in the layout of DAVIS 2017."""

import concurrent.futures
import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_image
from keras_fasterseg.files import PathLike, atomic_path, read_json, sha256, write_json
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.video_objects.davis import GENERATED, Davis, write_mask
from keras_fasterseg.video_objects.moving_object import MovingObject, smooth_noise
from keras_fasterseg.video_objects.scores import FEWEST_FRAMES

_RESOLUTION = "480p"
# Increased whenever the same seed gives different pixels.
_VERSION = 1
_OBJECTS = (2, 3)
_OCCLUDER = 0.5
# Of every object in the first frame.
_LEAST_PIXELS = 100
_QUALITY = 95
# The background is larger than the frame, so that the camera can move.
_BACKGROUND = 1.3


@dataclasses.dataclass(frozen=True)
class GeneratedSequences:
    """Number and size of generated sequences.

    Attributes:
        num_train: Sequences of the split "train".
        num_val: Sequences of the split "val".
        frames: Frames per sequence.
        size: Height and width in pixels, at least 64.
        seed: The same seed gives identical files.
    """

    num_train: int = 120
    num_val: int = 20
    frames: int = 24
    size: tuple[int, int] = (128, 224)
    seed: int = 0

    def check(self) -> None:
        """Raises `ValueError` if a number is too small."""
        if (
            min(self.num_train, self.num_val) < 1
            or self.frames < FEWEST_FRAMES
            or min(self.size) < 64
        ):
            raise ValueError(
                "Generated sequences need at least 1 sequence per split, 3 frames and 64 x 64 "
                f"pixels. Received: {self}"
            )


def generate(
    root: PathLike,
    settings: GeneratedSequences,
    *,
    train_backgrounds: Sequence[pathlib.Path] = (),
    val_backgrounds: Sequence[pathlib.Path] = (),
    progress: bool = True,
) -> Davis:
    """Draws a data set, or opens it if it already exists.

    Every sequence shows two or three textured objects in a known order before a moving background,
    half of the sequences also a bar in front of them. Objects move, turn, deform, change their
    colours and hide one another. Sequence `i` of a split depends only on the seed, the split, `i`,
    the number and size of its frames, and its background.

    Args:
        root: Folder to write to.
        settings: Number and size of the sequences.
        train_backgrounds: Images to use as backgrounds in the split "train", in turns; without
            them, backgrounds are drawn.
        val_backgrounds: Likewise for the split "val".
        progress: Whether to show a progress bar.

    Raises:
        ValueError: A number is too small.
        DataError: `root` has other contents, or a background cannot be read.
        OSError: The files cannot be written.
    """
    settings.check()
    root = pathlib.Path(root)
    backgrounds = {"train": tuple(train_backgrounds), "val": tuple(val_backgrounds)}
    parameters: dict[str, Any] = {
        "version": _VERSION,
        **dataclasses.asdict(settings),
        "size": list(settings.size),
        "backgrounds": {name: [*map(sha256, paths)] for name, paths in backgrounds.items()},
    }
    if (root / GENERATED).is_file():
        if read_json(root / GENERATED) != parameters:
            raise DataError(
                f"{root} holds sequences generated with other settings; choose another folder or "
                "remove this one."
            )
        return Davis(root)
    if root.exists() and any(root.iterdir()):
        raise DataError(f"{root} is not empty; choose another folder for generated sequences.")
    counts = {"train": settings.num_train, "val": settings.num_val}
    with atomic_path(root) as temporary:
        jobs = []
        for number, (split, count) in enumerate(counts.items()):
            names = [f"{split}_{index:04}" for index in range(count)]
            listing = temporary / "ImageSets" / "2017" / f"{split}.txt"
            listing.parent.mkdir(parents=True, exist_ok=True)
            listing.write_text("".join(f"{name}\n" for name in names))
            chosen = backgrounds[split]
            jobs += [
                (
                    temporary,
                    name,
                    (settings.seed, number, index),
                    settings,
                    chosen[index % len(chosen)] if chosen else None,
                )
                for index, name in enumerate(names)
            ]
        with concurrent.futures.ThreadPoolExecutor(available_cores().threads) as threads:
            done = threads.map(_write_sequence, *zip(*jobs, strict=True))
            for _ in progress_bar(
                done, "Drawing sequences", unit="sequence", total=len(jobs), show=progress
            ):
                pass
        write_json(temporary / GENERATED, parameters)
    return Davis(root)


def draw_sequence(
    rng: np.random.Generator,
    size: tuple[int, int],
    frames: int,
    background: np.ndarray | None = None,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draws one sequence.

    Args:
        rng: Source of all randomness.
        size: Height and width in pixels.
        frames: Number of frames.
        background: uint8 RGB image to use as background; `None` draws one.

    Returns:
        uint8 images `(height, width, 3)`, and uint8 ids `(height, width)`: 0 for the background
        and the bar, then 1, 2, … from back to front.
    """
    while True:
        images, masks = _drawn(rng, size, frames, background)
        # Objects are followed from the first frame, so it must show all of them.
        counts = np.bincount(masks[0].ravel(), minlength=_OBJECTS[1] + 1)
        present = np.unique(masks)
        if present[-1] >= _OBJECTS[0] and counts[1 : present[-1] + 1].min() >= _LEAST_PIXELS:
            return images, masks


def _drawn(
    rng: np.random.Generator, size: tuple[int, int], frames: int, background: np.ndarray | None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    scene = _scene(rng, size, background)
    objects = [
        MovingObject.drawn_by(rng, size) for _ in range(rng.integers(*_OBJECTS, endpoint=True))
    ]
    bar = _bar(rng, size) if rng.random() < _OCCLUDER else None
    light = rng.uniform(-0.15, 0.15)
    offsets = _camera(rng, scene.shape, size, frames)
    noise = rng.uniform(0, 4)
    images, masks = [], []
    for frame, (top, left) in enumerate(offsets):
        image = scene[top : top + size[0], left : left + size[1]].copy()
        ids = np.zeros(size, np.uint8)
        for number, each in enumerate(objects, 1):
            each.draw(image, ids, number, frame, frames - 1)
        if bar is not None:
            columns, colors = bar
            image[:, columns], ids[:, columns] = colors, 0
        image *= 1 + light * frame / max(frames - 1, 1)
        image += noise * rng.standard_normal(size).astype(np.float32)[..., None]
        images.append(np.clip(image, 0, 255).astype(np.uint8))
        masks.append(ids)
    return images, masks


def _scene(rng: np.random.Generator, size: tuple[int, int], image: np.ndarray | None) -> np.ndarray:
    """The background, `_BACKGROUND` times as large as a frame, float32."""
    height, width = (math.ceil(_BACKGROUND * side) for side in size)
    if image is not None:
        scale = max(height / image.shape[0], width / image.shape[1])
        shape = [
            max(round(scale * side), least)
            for side, least in zip(image.shape[:2], (height, width), strict=True)
        ]
        picture = Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
        return np.asarray(picture, np.float32)[:height, :width].copy()
    scene = np.broadcast_to(rng.uniform(40, 210, 3), (height, width, 3)).astype(np.float32)
    for spread in (height / 4, height / 12, height / 40, 1.0):
        tint = rng.uniform(5, 30) * rng.uniform(0.5, 1.0, 3)
        scene = scene + smooth_noise(rng, (height, width), spread)[..., None] * tint
    return np.clip(scene, 0, 255).astype(np.float32)


def _camera(
    rng: np.random.Generator, scene: tuple[int, ...], size: tuple[int, int], frames: int
) -> list[tuple[int, int]]:
    """Top left corner of every frame in the background: a steady pan."""
    room = np.array(scene[:2]) - size
    start, end = rng.uniform(0, 1, (2, 2)) * room
    steps = np.linspace(0, 1, frames)[:, None]
    return [(int(top), int(left)) for top, left in np.rint(start + steps * (end - start))]


def _bar(rng: np.random.Generator, size: tuple[int, int]) -> tuple[slice, np.ndarray]:
    """Columns and colours of an upright bar that hides objects; it is not an object."""
    height, width = size
    thickness = max(2, round(width * rng.uniform(0.03, 0.08)))
    left = int(rng.uniform(0.2, 0.8) * (width - thickness))
    grain = ndimage.gaussian_filter1d(rng.standard_normal((height, thickness)), 2.0, axis=0)
    colors = rng.uniform(30, 200, 3) + 12 * grain[..., None]
    return slice(left, left + thickness), colors.astype(np.float32)


def _write_sequence(
    root: pathlib.Path,
    name: str,
    seed: tuple[int, ...],
    settings: GeneratedSequences,
    background: pathlib.Path | None,
) -> None:
    image = None if background is None else read_image(background)
    drawn = draw_sequence(np.random.default_rng(seed), settings.size, settings.frames, image)
    folders = [root / kind / _RESOLUTION / name for kind in ("JPEGImages", "Annotations")]
    for folder in folders:
        folder.mkdir(parents=True)
    for number, (pixels, ids) in enumerate(zip(*drawn, strict=True)):
        Image.fromarray(pixels).save(folders[0] / f"{number:05}.jpg", quality=_QUALITY)
        write_mask(folders[1] / f"{number:05}.png", ids)
