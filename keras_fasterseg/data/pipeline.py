"""From samples to batches: a `tf.data` pipeline whose every number follows from its seed."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data import augmentation
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.source import IGNORE_LABEL, Sample, SegmentationSource
from keras_fasterseg.wording import counted

_PREFETCHED_BATCHES = 2


def make_dataset(
    samples: Sequence[Sample],
    *,
    source: SegmentationSource,
    batch_size: int,
    training: bool,
    crop_size: tuple[int, int] | None = None,
    scales: Sequence[float] = (0.75, 1.0, 1.25),
    flip: bool = True,
    downsample: int = 1,
    size_multiple: int = 1,
    normalize: bool = True,
    seed: int = 0,
    repeat: bool = False,
    skip_batches: int = 0,
    drop_remainder: bool | None = None,
    cache: bool = False,
) -> tf.data.Dataset:
    """Batches of images and labels for training or evaluation.

    Training: every epoch shuffles anew, and every sample is scaled, cropped (padded with the mean
    colour and label 255 where it is smaller) and mirrored at random. Shuffling and augmentation
    are functions of `seed` and of how many samples came before, so that two runs agree bit by bit
    and `skip_batches` continues one that was stopped.

    Evaluation: whole images in the order of `samples`, nothing random.

    Args:
        samples: The samples, as `source.samples(split)` or one of its halves.
        source: The data set they are from, which says what labels mean and how images are
            normalised.
        batch_size: Images a batch. Whole images of different sizes need 1.
        training: Whether to shuffle and to augment.
        crop_size: Height and width of the crops in training; `None` in evaluation.
        scales: Factors from which training draws one for every image.
        flip: Whether training mirrors half of the images.
        downsample: Every image is first made smaller by this factor.
        size_multiple: In evaluation, height and width are padded at the bottom and the right to a
            multiple of this, with the mean colour and label 255.
        normalize: Whether images are `(image / 255 - mean) / std` by the source's numbers;
            otherwise they are uint8, which only evaluation can give.
        seed: Seed of shuffling and augmentation.
        repeat: Whether the data set goes on for ever. Otherwise it is one epoch, and each
            iteration over it in training another one.
        skip_batches: With `repeat`, so many batches are left out at the start, unread.
        drop_remainder: Whether a last, smaller batch is dropped; by default in training only.
        cache: Whether decoded (and downsampled) images stay in memory, 4 bytes a pixel.

    Returns:
        A data set of `(images, labels)`: images `(batch, height, width, 3)` float32 (uint8 unless
        `normalize`), labels `(batch, height, width)` int32, 255 where ignored.

    Raises:
        ValueError: The arguments contradict one another, or there are fewer samples than one
            batch that must be full.
        DataError: Whole images differ in size although `batch_size` is above 1. A faulty file
            stops the iteration with `tf.errors.InvalidArgumentError`, whose message holds that
            of the `DataError`; `check_samples` finds it beforehand.
    """
    samples = tuple(samples)
    drop_remainder = training if drop_remainder is None else drop_remainder
    _check_arguments(
        num_samples=len(samples),
        batch_size=batch_size,
        training=training,
        crop_size=crop_size,
        scales=scales,
        downsample=downsample,
        size_multiple=size_multiple,
        normalize=normalize,
        repeat=repeat,
        skip_batches=skip_batches,
        drop_remainder=drop_remainder,
    )
    whole_size = _whole_size(samples, source, batch_size, downsample) if crop_size is None else None
    read = _reader(samples, source, downsample, cache)
    mean_color = tf.constant(source.mean, tf.float32)
    deviation = tf.constant(source.std, tf.float32)

    def normalized(image: tf.Tensor) -> tf.Tensor:
        return (tf.cast(image, tf.float32) / 255.0 - mean_color) / deviation

    def training_example(index: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = read(index)
        scale_seed, crop_seed, flip_seed = tf.unstack(tf.random.split(key, 3))
        image, label = augmentation.random_scale(image, label, scales, scale_seed)
        if crop_size is not None:
            image, label = augmentation.random_crop(image, label, crop_size, crop_seed)
        image = normalized(image)
        if crop_size is not None:
            image, label = augmentation.pad_centered(image, label, crop_size)
        elif whole_size is not None:
            image, label = _with_size(image, label, whole_size)
        if flip:
            image, label = augmentation.random_flip(image, label, flip_seed)
        return image, tf.cast(label, tf.int32)

    def evaluation_example(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image, label = read(index)
        if normalize:
            image, padding = normalized(image), tf.zeros(3)
        else:
            padding = tf.cast(tf.round(mean_color * 255.0), tf.uint8)
        image, label = _pad_to_multiple(image, label, size_multiple, padding)
        if whole_size is not None:
            padded = tuple(-(-side // size_multiple) * size_multiple for side in whole_size)
            image, label = _with_size(image, label, padded)
        return image, tf.cast(label, tf.int32)

    if training:
        dataset = _shuffled_indices(len(samples), seed, repeat)
    else:
        dataset = tf.data.Dataset.range(len(samples))
        dataset = dataset.repeat() if repeat else dataset
    dataset = dataset.skip(skip_batches * batch_size)
    dataset = dataset.map(
        training_example if training else evaluation_example,
        num_parallel_calls=available_cores().threads,
        deterministic=True,
    )
    dataset = dataset.batch(batch_size, drop_remainder=drop_remainder)
    num_batches = len(samples) // batch_size if drop_remainder else -(-len(samples) // batch_size)
    cardinality = tf.data.INFINITE_CARDINALITY if repeat else num_batches
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(cardinality))
    # The thread that tunes misses its call to end, and is waited for as long as its period lasts,
    # which grows up to a minute.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(_PREFETCHED_BATCHES).with_options(options)


def _shuffled_indices(num_samples: int, seed: int, repeat: bool) -> tf.data.Dataset:
    """Pairs of the index of a sample and the `(2,)` key of what is done to it at random."""
    order_seed, augmentation_seed = tf.unstack(tf.random.split((seed, 0), 2))
    if repeat:
        epochs = tf.data.Dataset.counter()
    else:
        # What numbers the iterations over one data set: each draws another number.
        epochs = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).take(1)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(num_samples, dtype=tf.int64), _fold_in(order_seed, epoch)
        )
        epoch_key = _fold_in(augmentation_seed, epoch)

        keys = tf.data.Dataset.range(num_samples).map(
            lambda position: _fold_in(epoch_key, position)
        )
        return tf.data.Dataset.zip(tf.data.Dataset.from_tensor_slices(order), keys)

    return epochs.flat_map(one_epoch)


def _fold_in(key: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    # Annotated for numbers, but tensors are what it is for.
    return tf.random.fold_in(key, number)  # pyright: ignore[reportArgumentType, reportReturnType]


def _reader(
    samples: tuple[Sample, ...], source: SegmentationSource, downsample: int, cache: bool
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """A function of an index tensor that gives the uint8 image and label of that sample."""
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
    # tf.pad takes one value for all channels: it pads the difference to the colour with 0 (which
    # wraps around and back for uint8).
    return tf.pad(image - padding, [*paddings, [0, 0]]) + padding, label


def _with_size(
    image: tf.Tensor, label: tf.Tensor, size: tuple[int, ...]
) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.ensure_shape(image, (*size, 3)), tf.ensure_shape(label, size)


def _whole_size(
    samples: tuple[Sample, ...], source: SegmentationSource, batch_size: int, downsample: int
) -> tuple[int, int] | None:
    """Height and width that all images have after downsampling, `None` if they differ."""
    first = source.read_size(samples[0])
    for sample in samples[1:]:
        size = source.read_size(sample)
        if size != first:
            if batch_size > 1:
                raise DataError(
                    f"Whole images of different sizes make no batch of {batch_size}: "
                    f"{samples[0].image} is {first[0]} x {first[1]}, {sample.image} is "
                    f"{size[0]} x {size[1]}; use batch_size=1 or a crop_size."
                )
            return None
    return first[0] // downsample, first[1] // downsample


def _check_arguments(
    *,
    num_samples: int,
    batch_size: int,
    training: bool,
    crop_size: tuple[int, int] | None,
    scales: Sequence[float],
    downsample: int,
    size_multiple: int,
    normalize: bool,
    repeat: bool,
    skip_batches: int,
    drop_remainder: bool,
) -> None:
    if num_samples == 0:
        raise ValueError("There are no samples; give at least one.")
    if min(batch_size, downsample, size_multiple) < 1 or skip_batches < 0:
        raise ValueError(
            "batch_size, downsample and size_multiple must be at least 1 and skip_batches at "
            f"least 0, received batch_size={batch_size}, downsample={downsample}, "
            f"size_multiple={size_multiple}, skip_batches={skip_batches}."
        )
    if drop_remainder and not repeat and num_samples < batch_size:
        raise ValueError(
            f"{counted(num_samples, 'sample')} cannot fill a batch of batch_size={batch_size}; use "
            "a smaller one or drop_remainder=False."
        )
    if skip_batches and not repeat:
        raise ValueError(f"skip_batches={skip_batches} needs repeat=True.")
    if not training:
        if crop_size is not None:
            raise ValueError(
                f"Evaluation takes whole images, received crop_size={crop_size}; leave it out."
            )
        return
    if not normalize or size_multiple > 1:
        raise ValueError(
            "normalize=False and size_multiple are for evaluation, received "
            f"normalize={normalize}, size_multiple={size_multiple} with training=True."
        )
    if not scales or min(scales) <= 0:
        raise ValueError(f"scales must be positive and at least one, received {scales!r}.")
    if crop_size is None:
        if tuple(scales) != (1.0,):
            raise ValueError(
                f"Training without crop_size keeps whole images: scales must be (1.0,), received "
                f"{tuple(scales)}."
            )
    elif min(crop_size) < 1:
        raise ValueError(f"crop_size must be positive, received {crop_size}.")
