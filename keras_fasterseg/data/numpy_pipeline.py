"""The batches of `pipeline` as NumPy arrays, for every backend but TensorFlow.

It imports no backend: the processes that read training batches need none.
"""

import collections
import concurrent.futures
import functools
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data import numpy_augmentation as augmentation
from keras_fasterseg.data import philox
from keras_fasterseg.data.pipeline_settings import TrainingPipeline
from keras_fasterseg.data.reading_processes import read_in_processes
from keras_fasterseg.data.source import IGNORE_LABEL, Sample, SegmentationSource
from keras_fasterseg.image_normalization import check_normalization

Batch = tuple[np.ndarray, np.ndarray]

_PREFETCHED_IMAGES = 2


class TrainingBatches:
    """Training batches by their number, which alone decides their content.

    Args:
        samples: The samples.
        source: The data set of the samples.
        settings: Size, augmentation and seed of the batches.

    Raises:
        ValueError: There are no samples.
    """

    def __init__(
        self, samples: Sequence[Sample], source: SegmentationSource, settings: TrainingPipeline
    ) -> None:
        _check_samples(samples)
        self.samples = samples
        self.source = source
        self.settings = settings
        self._normalization = check_normalization(source.mean, source.std)
        self._kept: dict[int, Batch] = {}

    def __getitem__(self, number: int) -> Batch:
        """Reads and augments batch `number`, counted from 0 and without end."""
        size = self.settings.batch_size
        height, width = self.settings.crop_size
        images = np.empty((size, height, width, 3), np.float32)
        labels = np.empty((size, height, width), np.int32)
        for place in range(size):
            images[place], labels[place] = self._example(number * size + place)
        return images, labels

    def _example(self, index: int) -> Batch:
        """The augmented sample `index` of the endless stream."""
        settings = self.settings
        epoch, position = divmod(index, len(self.samples))
        order, augmentation_seed = _epoch(settings.seed, epoch, len(self.samples))
        image, label = self._read(order[position])
        key = philox.fold_in(augmentation_seed, position)
        scale_seed, crop_seed, flip_seed = philox.split(key, 3)
        image, label = augmentation.random_crop(
            image, label, settings.scales, settings.crop_size, scale_seed, crop_seed
        )
        if settings.color_jitter:
            jitter_seed = philox.fold_in(flip_seed, 0, bits=32)
            image = augmentation.random_colors(image, settings.color_jitter, jitter_seed)
        image = normalized(image, *self._normalization)
        image, label = augmentation.pad_centered(image, label, settings.crop_size)
        if settings.shift:
            shift_seed = philox.fold_in(crop_seed, 0, bits=32)
            image, label = augmentation.random_shift(image, label, settings.shift, shift_seed)
        if settings.flip:
            image, label = augmentation.random_flip(image, label, flip_seed)
        return image, label

    def _read(self, number: int) -> Batch:
        arrays = self._kept.get(number)
        if arrays is None:
            arrays = self.source.read(self.samples[number], downsample=self.settings.downsample)
            if self.settings.cache:
                self._kept[number] = arrays
        return arrays


class EvaluationBatches:
    """Complete images in order, one per batch; see `pipeline.evaluation_dataset`."""

    def __init__(
        self,
        samples: Sequence[Sample],
        source: SegmentationSource,
        downsample: int,
        size_multiple: int,
        normalize: bool,
    ) -> None:
        _check_samples(samples)
        self._samples = samples
        self._source = source
        self._downsample = downsample
        self._size_multiple = size_multiple
        self._normalize = normalize
        self._normalization = check_normalization(source.mean, source.std)

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[Batch]:
        threads = concurrent.futures.ThreadPoolExecutor(available_cores().threads)
        waiting: collections.deque[concurrent.futures.Future[Batch]] = collections.deque()
        try:
            for sample in self._samples:
                waiting.append(threads.submit(self._batch, sample))
                if len(waiting) > available_cores().threads + _PREFETCHED_IMAGES:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)

    def _batch(self, sample: Sample) -> Batch:
        image, label = self._source.read(sample, downsample=self._downsample)
        color = np.zeros(3, np.float32)
        if self._normalize:
            image = normalized(image, *self._normalization)
        else:
            color = np.rint(self._normalization[0] * 255)
        height, width = (
            -(-side // self._size_multiple) * self._size_multiple for side in label.shape
        )
        images = np.empty((1, height, width, 3), image.dtype)
        images[:] = color.astype(image.dtype)
        labels = np.full((1, height, width), IGNORE_LABEL, np.int32)
        rows, columns = map(slice, label.shape)
        images[0, rows, columns] = image
        labels[0, rows, columns] = label
        return images, labels


def training_dataset(
    samples: Sequence[Sample],
    source: SegmentationSource,
    settings: TrainingPipeline,
    skip_batches: int = 0,
    processes: int | None = None,
) -> Iterator[Batch]:
    """A generator of endless training batches; see `pipeline.training_dataset`.

    Args:
        samples: The samples.
        source: The data set of the samples.
        settings: Size, augmentation and seed of the batches.
        skip_batches: Number of batches to skip at the start.
        processes: Number of processes that read; 0 reads in this process. Default: one for each
            available core.
    """
    batches = TrainingBatches(samples, source, settings)
    if processes is None:
        processes = available_cores().threads
    if processes:
        return read_in_processes(batches, skip_batches, processes)
    return (batches[number] for number in itertools.count(skip_batches))


def evaluation_dataset(
    samples: Sequence[Sample],
    source: SegmentationSource,
    *,
    downsample: int = 1,
    size_multiple: int = 1,
    normalize: bool = True,
) -> EvaluationBatches:
    """Complete images, one per batch; see `pipeline.evaluation_dataset`."""
    return EvaluationBatches(samples, source, downsample, size_multiple, normalize)


def zipped(first: Iterator[Batch], second: Iterator[Batch]) -> Iterator[tuple[Batch, Batch]]:
    """A generator of pairs of a batch of each; see `pipeline.zipped`."""
    # Keras accepts generators, but not other iterators.
    yield from zip(first, second, strict=True)


def _check_samples(samples: Sequence[Sample]) -> None:
    if not samples:
        raise ValueError("There are no samples; give at least one.")


# Batches of two epochs may alternate.
@functools.lru_cache(maxsize=2)
def _epoch(seed: int, epoch: int, num_samples: int) -> tuple[list[int], philox.Seed]:
    """The order of the samples in an epoch, and the seed of its augmentation."""
    order_seed, augmentation_seed = philox.split((seed, 0), 2, bits=32)
    order = philox.permutation(philox.fold_in(order_seed, epoch), num_samples)
    return order, philox.fold_in(augmentation_seed, epoch)


def normalized(image: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """As `normalize_images`, which needs a backend."""
    scale = (1.0 / (255.0 * std.astype(np.float64))).astype(np.float32)
    height, width, channels = image.shape
    # Whole rows: NumPy is slow along an axis of three.
    rows = image.reshape(height, -1) - np.tile(255.0 * mean, width)
    rows *= np.tile(scale, width)
    return rows.reshape(height, width, channels)
