"""Augmented training batches of single frames."""

import collections
import concurrent.futures
import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.image_files import read_size
from keras_fasterseg.data.numpy_augmentation import random_colors
from keras_fasterseg.data.numpy_pipeline import normalized
from keras_fasterseg.image_normalization import check_normalization
from keras_fasterseg.progress import progress_bar
from keras_fasterseg.video_objects.davis import BACKGROUND, VOID, Davis, VideoSequence
from keras_fasterseg.video_objects.training_targets import training_targets

Size = tuple[int, int]
Batch = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]

_PREFETCHED = 3
_THREADS = 2
_LARGEST_ASPECT = 8


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame with masks, and the identity of each object by its id."""

    image: pathlib.Path
    mask: pathlib.Path
    identities: dict[int, int]


def training_frames(
    davis: Davis, sequences: Sequence[VideoSequence], progress: bool = False
) -> tuple[list[Frame], int]:
    """All frames with masks, and the number of identities of all their objects.

    An identity is an object of one sequence; sequences share none. Every mask is read.

    Args:
        davis: The data set.
        sequences: Sequences of it.
        progress: Whether to show a progress bar.

    Raises:
        DataError: A mask is faulty, or has another size than its frame.
    """
    frames, total = [], 0
    # The order of a list may change between two calls; the numbers of identities must not.
    sequences = sorted(sequences, key=lambda each: each.name)
    bar = progress_bar(sequences, "Reading masks", unit="sequence", show=progress)
    for sequence in bar:
        pairs = [
            (image, mask)
            for image, mask in zip(sequence.frames, sequence.masks, strict=True)
            if mask is not None
        ]
        present = {each for pair in pairs for each in _objects(davis, *pair)}
        identities = {each: total + index for index, each in enumerate(sorted(present))}
        total += len(identities)
        frames += [Frame(image, mask, identities) for image, mask in pairs]
    return frames, total


def _objects(davis: Davis, image: pathlib.Path, mask: pathlib.Path) -> set[int]:
    ids, size = davis.read_mask(mask), read_size(image)
    if ids.shape != size:
        raise DataError(
            f"{mask} is {ids.shape[0]}x{ids.shape[1]}, but its frame {image} is "
            f"{size[0]}x{size[1]}; a mask must have the size of its frame."
        )
    if max(size) > _LARGEST_ASPECT * min(size):
        raise DataError(
            f"{image} is {size[0]}x{size[1]}; its longer side must be at most {_LARGEST_ASPECT} "
            "times the shorter one."
        )
    return {int(each) for each in np.unique(ids)} - {BACKGROUND, VOID}


@dataclasses.dataclass(frozen=True)
class FrameBatches:
    """Training batches by their number, which alone decides their content.

    Attributes:
        davis: The data set.
        frames: Its training frames.
        batch_size: Frames per batch.
        size: Height and width of the crops.
        objects: Places for objects per frame.
        scales: Range of the random scale of a frame.
        color_jitter: Largest change of brightness, contrast and saturation, as a share.
        seed: Seed of order and augmentation.
        mean: Mean of the three channels for normalising.
        std: Standard deviation of the three channels.
    """

    davis: Davis
    frames: Sequence[Frame]
    batch_size: int
    size: Size
    objects: int
    scales: tuple[float, float]
    color_jitter: float
    seed: int
    mean: Sequence[float]
    std: Sequence[float]

    def from_batch(self, first: int) -> Iterator[Batch]:
        """Yields batch `first` and all later ones, without end; threads prepare the next ones."""
        threads = concurrent.futures.ThreadPoolExecutor(_THREADS)
        waiting: collections.deque[concurrent.futures.Future[Batch]] = collections.deque()
        try:
            for number in itertools.count(first):
                waiting.append(threads.submit(self.__getitem__, number))
                if len(waiting) > _PREFETCHED:
                    yield waiting.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)

    def __getitem__(self, number: int) -> Batch:
        """Inputs (`images`, `boxes`) and targets of batch `number`, see `training_targets`."""
        first = number * self.batch_size
        examples = [self._example(index) for index in range(first, first + self.batch_size)]
        images, targets = zip(*examples, strict=True)
        stacked: dict[str, Any] = {
            name: np.stack([each[name] for each in targets]) for name in targets[0]
        }
        return {"images": np.stack(images), "boxes": stacked.pop("boxes")}, stacked

    def _example(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        epoch, position = divmod(index, len(self.frames))
        frame = self.frames[_order(self.seed, epoch, len(self.frames))[position]]
        rng = np.random.default_rng((self.seed, 1, index))
        image, ids = _random_crop(
            self.davis.read_frame(frame.image),
            self.davis.read_mask(frame.mask),
            self.size,
            rng.uniform(*np.log(self.scales)),
            rng,
        )
        if rng.random() < 0.5:
            image, ids = image[:, ::-1], ids[:, ::-1]
        first, second = map(int, rng.integers(2**31, size=2))
        colors = random_colors(image.astype(np.float32), self.color_jitter, (first, second))
        normalization = check_normalization(self.mean, self.std)
        targets = training_targets(np.ascontiguousarray(ids), frame.identities, self.objects, rng)
        return normalized(colors, *normalization), targets


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, 0, epoch)).permutation(count)


def _random_crop(
    image: np.ndarray, ids: np.ndarray, size: Size, log_scale: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A crop of a frame that first is resized to cover `size`, times a factor."""
    height, width = size
    fit = max(height / image.shape[0], width / image.shape[1]) * np.exp(log_scale)
    shape = [max(1, round(fit * side)) for side in ids.shape]
    resized = Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    labels = Image.fromarray(ids).resize((shape[1], shape[0]), Image.Resampling.NEAREST)
    image, ids = np.asarray(resized), np.asarray(labels)
    margins = [(0, max(0, side - each)) for side, each in zip(size, shape, strict=True)]
    if any(end for _, end in margins):
        image = np.pad(image, (*margins, (0, 0)), mode="edge")
        ids = np.pad(ids, margins, constant_values=VOID)
    rooms = [each - side + 1 for each, side in zip(ids.shape, size, strict=True)]
    top, left = (int(rng.integers(room)) for room in rooms)
    window = slice(top, top + height), slice(left, left + width)
    return image[window], ids[window]
