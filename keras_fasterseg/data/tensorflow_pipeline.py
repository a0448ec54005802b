"""The batches of `pipeline` as `tf.data` datasets, for the backend TensorFlow."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data import tensorflow_augmentation as augmentation
from keras_fasterseg.data.pipeline_settings import TrainingPipeline
from keras_fasterseg.data.source import IGNORE_LABEL, Sample, SegmentationSource
from keras_fasterseg.image_normalization import check_normalization, normalize_images

_PREFETCHED_BATCHES = 2


def training_dataset(
    samples: Sequence[Sample],
    source: SegmentationSource,
    settings: TrainingPipeline,
    skip_batches: int = 0,
) -> tf.data.Dataset:
    """Endless training batches; see `pipeline.training_dataset`.

    A faulty file stops the iteration with `tf.errors.InvalidArgumentError`, whose message contains
    that of the `DataError`.
    """
    read = _reader(samples, source, settings.downsample, settings.cache)
    normalization = check_normalization(source.mean, source.std)

    def example(index: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = read(index)
        scale_seed, crop_seed, flip_seed = tf.unstack(tf.random.split(key, 3))
        image, label = augmentation.random_scale(image, label, settings.scales, scale_seed)
        image, label = augmentation.random_crop(image, label, settings.crop_size, crop_seed)
        if settings.color_jitter:
            jitter_seed = _fold_in(flip_seed, 0)
            image = augmentation.random_colors(image, settings.color_jitter, jitter_seed)
        image = normalize_images(image, *normalization)
        image, label = augmentation.pad_centered(image, label, settings.crop_size)
        if settings.shift:
            image, label = augmentation.random_shift(
                image, label, settings.shift, _fold_in(crop_seed, 0)
            )
        if settings.flip:
            image, label = augmentation.random_flip(image, label, flip_seed)
        return image, tf.cast(label, tf.int32)

    indices = _shuffled_indices(len(samples), settings.seed)
    indices = indices.skip(skip_batches * settings.batch_size)
    part, parts = settings.part
    size = settings.batch_size // parts
    if parts > 1:
        own = slice(part * size, (part + 1) * size)
        indices = indices.batch(settings.batch_size, drop_remainder=True)
        indices = indices.map(lambda *rows: tuple(row[own] for row in rows)).unbatch()
    batches = _batches(indices, example, size, drop_remainder=True)
    return batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def evaluation_dataset(
    samples: Sequence[Sample],
    source: SegmentationSource,
    *,
    downsample: int = 1,
    size_multiple: int = 1,
    normalize: bool = True,
) -> tf.data.Dataset:
    """Complete images, one per batch; see `pipeline.evaluation_dataset`."""
    read = _reader(samples, source, downsample)
    normalization = check_normalization(source.mean, source.std)
    size = _common_size(samples, source, downsample, size_multiple)
    mean_color = tf.cast(tf.round(tf.constant(source.mean) * 255.0), tf.uint8)

    def example(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = read(index)
        if normalize:
            image, padding = normalize_images(image, *normalization), tf.zeros(3)
        else:
            padding = mean_color
        image, label = _pad_to_multiple(image, label, size_multiple, padding)
        if size is not None:
            image, label = tf.ensure_shape(image, (*size, 3)), tf.ensure_shape(label, size)
        return image, tf.cast(label, tf.int32)

    return _batches(tf.data.Dataset.range(len(samples)), example, 1, drop_remainder=False)


def zipped(first: tf.data.Dataset, second: tf.data.Dataset) -> tf.data.Dataset:
    """Pairs of a batch of each; see `pipeline.zipped`."""
    return tf.data.Dataset.zip((first, second))


def _batches(
    indices: tf.data.Dataset, example: Callable, batch_size: int, drop_remainder: bool
) -> tf.data.Dataset:
    """Batches of `example(index)` for all `indices`, in their order."""
    # No autotuning: its thread misses the signal to end, and shutdown then waits for its period,
    # which grows up to a minute.
    options = tf.data.Options()
    options.autotune.enabled = False
    examples = indices.map(
        example, num_parallel_calls=available_cores().threads, deterministic=True
    )
    batches = examples.batch(batch_size, drop_remainder=drop_remainder)
    return batches.prefetch(_PREFETCHED_BATCHES).with_options(options)


def _shuffled_indices(num_samples: int, seed: int) -> tf.data.Dataset:
    """Endless pairs of a sample's index and the `(2,)` key of its random augmentation."""
    order_seed, augmentation_seed = tf.unstack(tf.random.split((seed, 0), 2))

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(num_samples, dtype=tf.int64), _fold_in(order_seed, epoch)
        )
        epoch_key = _fold_in(augmentation_seed, epoch)

        keys = tf.data.Dataset.range(num_samples).map(
            lambda position: _fold_in(epoch_key, position)
        )
        return tf.data.Dataset.zip(tf.data.Dataset.from_tensor_slices(order), keys)

    return tf.data.Dataset.counter().flat_map(one_epoch)


def _fold_in(key: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    # Annotated for numbers, but meant for tensors.
    return tf.random.fold_in(key, number)  # pyright: ignore[reportArgumentType, reportReturnType]


def _reader(
    samples: Sequence[Sample], source: SegmentationSource, downsample: int, cache: bool = False
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """A function from an index tensor to the uint8 image and label of that sample."""
    if not samples:
        raise ValueError("There are no samples; give at least one.")
    kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def read_array(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number = int(index)
        arrays = kept.get(number)
        if arrays is None:
            arrays = source.read(samples[number], downsample=downsample)
            if cache:
                kept[number] = arrays
        return arrays

    def read(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = tf.numpy_function(read_array, [index], [tf.uint8, tf.uint8])
        return tf.ensure_shape(image, (None, None, 3)), tf.ensure_shape(label, (None, None))

    return read


def _pad_to_multiple(
    image: tf.Tensor, label: tf.Tensor, multiple: int, padding: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    if multiple == 1:
        return image, label
    missing = tf.math.floormod(-tf.shape(label), multiple)
    paddings = [[0, missing[0]], [0, missing[1]]]
    label = tf.pad(label, paddings, constant_values=IGNORE_LABEL)
    # tf.pad accepts one value for all channels, so this pads the difference to the colour with 0
    # (uint8 wraps around and back).
    return tf.pad(image - padding, [*paddings, [0, 0]]) + padding, label


def _common_size(
    samples: Sequence[Sample], source: SegmentationSource, downsample: int, multiple: int
) -> tuple[int, ...] | None:
    """Height and width of all images after downsampling and padding; `None` if they differ.

    A network compiles only once if the size is known beforehand.
    """
    sizes = {source.read_size(sample) for sample in samples}
    if len(sizes) > 1:
        return None
    return tuple(-(-(side // downsample) // multiple) * multiple for side in sizes.pop())
