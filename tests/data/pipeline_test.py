import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.available_cores import available_cores
from keras_fasterseg.data.pipeline import evaluation_dataset, training_dataset
from keras_fasterseg.data.pipeline_settings import TrainingPipeline
from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD
from tests.shared import load_fixture

RNG = np.random.default_rng(0)


def _coded_pair(number, height=12, width=20):
    """Constant 4 x 4 blocks; red encodes the label, green the sample."""
    blocks = RNG.integers(0, 11, (height // 4, width // 4), np.uint8)
    label = np.kron(blocks, np.ones((4, 4), np.uint8))
    image = np.stack([label * 20, np.full_like(label, number), label], axis=-1)
    return image, label


@pytest.fixture
def source(make_camvid):
    return make_camvid([_coded_pair(number) for number in range(10)])


def _training(source, skip_batches=0, **options):
    settings = TrainingPipeline(**{"batch_size": 2, "crop_size": (8, 8), "seed": 1, **options})
    return training_dataset(source.samples("train"), source, settings, skip_batches)


def _evaluation(source, **options):
    return evaluation_dataset(source.samples("train"), source, **options)


def _arrays(dataset, num_batches=None):
    batches = itertools.islice(dataset.as_numpy_iterator(), num_batches)
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _pixels(images):
    return (images * IMAGENET_STD + IMAGENET_MEAN) * 255


def _order(images):
    """Which sample each image is, from its green channel; padding is the mean colour."""
    green = np.rint(_pixels(images)[..., 1]).astype(int)
    return [int(image[image != round(IMAGENET_MEAN[1] * 255)].flat[0]) for image in green]


def test_evaluation_gives_whole_images_in_order(source):
    dataset = _evaluation(source)

    images, labels = _arrays(dataset)

    assert len(dataset) == 10
    assert images.dtype == np.float32
    assert labels.dtype == np.int32
    assert labels.shape == (10, 12, 20)
    np.testing.assert_allclose(_pixels(images)[..., 0], 20 * labels, atol=1e-3)
    assert _order(images) == list(range(10))


def test_normalisation_is_the_reference_s(make_camvid):
    fixture = load_fixture("input_256x512")
    image = fixture["img_uint8_nhwc"][0]
    source = make_camvid([(image, np.zeros(image.shape[:2], np.uint8))])

    images, _ = _arrays(_evaluation(source))

    np.testing.assert_allclose(images, fixture["x_nhwc"], atol=1e-6)


def test_unnormalised_images_are_the_file_s(source):
    images, labels = _arrays(_evaluation(source, normalize=False, size_multiple=16))

    assert images.dtype == np.uint8
    assert images.shape == (10, 16, 32, 3)
    np.testing.assert_array_equal(images[:, :12, :20, 0], 20 * labels[:, :12, :20])
    np.testing.assert_array_equal(images[:, 12:], np.broadcast_to((124, 116, 104), (10, 4, 32, 3)))
    assert (labels[:, 12:] == 255).all()
    assert (labels[:, :, 20:] == 255).all()


def test_equal_images_have_a_static_size(source):
    dataset = _evaluation(source, downsample=2, size_multiple=4)

    assert dataset.element_spec[0].shape == (None, 8, 12, 3)
    assert [labels.shape for _, labels in dataset] == [(1, 8, 12)] * 10


def test_images_of_different_sizes(make_camvid):
    dataset = _evaluation(make_camvid([_coded_pair(0), _coded_pair(1, 16, 8)]))

    assert dataset.element_spec[0].shape == (None, None, None, 3)
    assert [labels.shape for _, labels in dataset] == [(1, 12, 20), (1, 16, 8)]


@pytest.mark.parametrize("crop_size", [(8, 8), (7, 9), (32, 24)])
def test_training_crops_have_their_size_and_stay_aligned(source, crop_size):
    images, labels = _arrays(_training(source, crop_size=crop_size, scales=(1.0,)), 5)

    assert images.shape == (10, *crop_size, 3)
    known = labels != 255
    np.testing.assert_allclose(_pixels(images)[..., 0][known], 20 * labels[known], atol=1e-3)
    np.testing.assert_array_equal(images[~known], 0)
    assert known.sum() == 10 * min(crop_size[0], 12) * min(crop_size[1], 20)


def test_shifted_images_stay_aligned_and_lose_at_most_the_shift(source):
    options = {"crop_size": (12, 20), "scales": (1.0,)}
    images, labels = _arrays(_training(source, shift=2, **options), 20)

    known = labels != 255
    np.testing.assert_allclose(_pixels(images)[..., 0][known], 20 * labels[known], atol=1e-3)
    np.testing.assert_array_equal(images[~known], 0)
    rows, columns = known.any(axis=2).sum(axis=1), known.any(axis=1).sum(axis=1)
    assert (set(rows), set(columns)) == ({10, 11, 12}, {18, 19, 20})


def test_training_stays_aligned_at_every_scale(source):
    """Blocks make most pixels keep their value when scaled; the others lie at block borders."""
    images, labels = _arrays(_training(source, scales=(0.75, 1.25), crop_size=(10, 16)), 5)

    known = labels != 255
    agree = np.abs(_pixels(images)[..., 0] - 20 * labels)[known] < 1.0
    shifted = np.abs(_pixels(images)[..., 0] - 20 * np.roll(labels, 3, axis=2))[known] < 1.0
    assert agree.mean() > 0.35
    assert agree.mean() > 1.5 * shifted.mean()


def test_same_seed_is_bit_equal_and_another_differs(source):
    first = _arrays(_training(source), 12)
    again = _arrays(_training(source, cache=True), 12)
    tf.random.set_seed(7)
    with_global_seed = _arrays(_training(source), 12)
    other = _arrays(_training(source, seed=2), 12)

    for part, part_again, part_seeded, part_other in zip(
        first, again, with_global_seed, other, strict=True
    ):
        np.testing.assert_array_equal(part, part_again)
        np.testing.assert_array_equal(part, part_seeded)
        assert not np.array_equal(part, part_other)


def test_skipped_batches_continue_a_run(source):
    whole, _ = _arrays(_training(source, batch_size=3), 9)
    rest, _ = _arrays(_training(source, batch_size=3, skip_batches=5), 4)

    np.testing.assert_array_equal(rest, whole[15:])


@pytest.mark.parametrize("skip_batches", [0, 3])
def test_parts_of_batches_are_the_batches(source, skip_batches):
    options = {"batch_size": 4, "skip_batches": skip_batches}
    whole = _arrays(_training(source, **options), 5)
    parts = [_arrays(_training(source, part=(i, 2), **options), 5) for i in range(2)]
    for together, *divided in zip(whole, *parts, strict=True):
        rows = np.stack([each.reshape(5, 2, *each.shape[1:]) for each in divided], axis=1)
        np.testing.assert_array_equal(rows.reshape(together.shape), together)


def test_a_batch_that_cannot_be_divided(source):
    with pytest.raises(ValueError, match="3 images cannot be divided equally among 2 workers"):
        _training(source, batch_size=3, part=(0, 2))


def test_every_epoch_has_all_samples_in_another_order(source):
    images, _ = _arrays(_training(source, crop_size=(12, 20), scales=(1.0,)), 15)

    epochs = [_order(images[start : start + 10]) for start in (0, 10, 20)]

    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 3
    assert epochs[0] != epochs[1] != epochs[2]


def test_augmentation_of_one_sample_varies(make_camvid):
    source = make_camvid([_coded_pair(0)])
    dataset = _training(source, batch_size=1, scales=(1.0,), flip=False)

    _, labels = _arrays(dataset, 20)

    assert len({label.tobytes() for label in labels}) > 5


def test_flip_can_be_switched_off(make_camvid):
    image, label = _coded_pair(0)
    source = make_camvid([(image, label)])
    options = {"batch_size": 1, "scales": (1.0,), "crop_size": (12, 20)}

    _, plain = _arrays(_training(source, flip=False, **options), 20)
    _, flipped = _arrays(_training(source, **options), 20)

    assert (plain == label).all()
    mirrored = [np.array_equal(one, np.fliplr(label)) for one in flipped]
    assert 0 < sum(mirrored) < 20


def test_cache_reads_each_file_in_the_first_epoch_only(source, monkeypatch):
    read, reads = source.read, []

    def counted(sample, **options):
        reads.append(sample.image.name)
        return read(sample, **options)

    monkeypatch.setattr(source, "read", counted)
    batches = _training(source, cache=True).as_numpy_iterator()
    for _ in range(10):
        next(batches)
    first = list(reads)
    assert set(first) == {sample.image.name for sample in source.samples("train")}

    for _ in range(10):
        next(batches)
    assert reads == first


def test_faulty_file_is_named_while_training(source):
    path = source.root / "trainannot" / "006.png"
    path.write_bytes(path.read_bytes()[:50])

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"DataError: .*006.png is damaged"):
        _arrays(_training(source), 5)


def test_nothing_is_left_to_the_tuning_thread(source):
    """TensorFlow waits for that thread when an iterator ends."""
    for dataset in (_training(source), _evaluation(source)):
        assert dataset.options().autotune.enabled is False
        graph = tf.raw_ops.DatasetToGraphV2(input_dataset=tf.data.experimental.to_variant(dataset))
        nodes = tf.compat.v1.GraphDef.FromString(graph.numpy()).node
        counts = {
            node.name: int(tf.make_ndarray(node.attr["value"].tensor))
            for node in nodes
            if node.op == "Const"
            and not node.attr["value"].tensor.tensor_shape.dim
            and node.attr["dtype"].type == tf.int64.as_datatype_enum
        }
        settings = {
            node.op: counts[node.input[-1]]
            for node in nodes
            if node.op in ("PrefetchDataset", "ParallelMapDatasetV2")
        }
        assert settings == {"PrefetchDataset": 2, "ParallelMapDatasetV2": available_cores().threads}


def test_images_are_normalised_by_the_numbers_of_their_source(source):
    mean, std = np.array((0.5, 0.25, 0.125)), np.array((0.5, 0.125, 0.25))
    plain, _ = _arrays(_evaluation(source, normalize=False))
    source.mean, source.std = tuple(mean.tolist()), tuple(std.tolist())

    images, _ = _arrays(_evaluation(source))
    # Values of at most 4 in float32, whose steps there are below 5e-7.
    np.testing.assert_allclose(images, (plain / 255 - mean) / std, atol=1e-6)

    # A crop beyond the image is padded with the mean colour, which is 0; what lies within holds
    # whole numbers again, up to 255 times the rounding of float32.
    crops, labels = _arrays(_training(source, crop_size=(16, 16), scales=(1.0,)), 5)
    assert not crops[labels == 255].any()
    pixels = (crops * std + mean)[labels != 255] * 255
    np.testing.assert_allclose(pixels, np.rint(pixels), atol=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"downsample": 0}, "downsample=0"),
        ({"scales": ()}, r"Received: \(\)"),
        ({"shift": -1}, r"Received: shift=-1, crop_size=\(8, 8\)"),
        ({"shift": 8}, r"Received: shift=8, crop_size=\(8, 8\)"),
        ({"color_jitter": -0.1}, "Received: color_jitter=-0.1"),
        ({"color_jitter": 1.0}, "Received: color_jitter=1.0"),
        ({"scales": (1.0, -1.0)}, r"Received: \(1.0, -1.0\)"),
        ({"crop_size": (0, 8)}, r"Received: \(0, 8\)"),
    ],
)
def test_settings_out_of_their_limits_are_refused(source, options, words):
    with pytest.raises(ValueError, match=words):
        _training(source, **options)


def test_no_samples_are_refused(source):
    with pytest.raises(ValueError, match="no samples"):
        evaluation_dataset((), source)
    with pytest.raises(ValueError, match="no samples"):
        training_dataset((), source, TrainingPipeline(1, (8, 8)))


@pytest.mark.parametrize(
    ("backend", "module"), [("tensorflow", "tensorflow"), ("jax", "numpy"), ("torch", "numpy")]
)
def test_the_backend_decides_between_tensorflow_and_numpy(source, monkeypatch, backend, module):
    monkeypatch.setattr("keras.backend.backend", lambda: backend)
    evaluation = _evaluation(source)
    assert isinstance(evaluation, tf.data.Dataset) == (module == "tensorflow")
    (first, *_) = evaluation
    assert [type(each) is np.ndarray for each in first] == [module == "numpy"] * 2
