"""Batches without TensorFlow compared with those of `tf.data`."""

import itertools

import numpy as np
import pytest

from keras_fasterseg.data import numpy_pipeline, tensorflow_pipeline
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.pipeline_settings import TrainingPipeline

RNG = np.random.default_rng(0)


@pytest.fixture
def source(make_camvid):
    """Noise of several sizes: 10 images."""
    sizes = [(40, 56)] * 6 + [(33, 47), (64, 32), (37, 80), (40, 57)]
    return make_camvid(
        (RNG.integers(0, 256, (*size, 3), np.uint8), RNG.integers(0, 12, size, np.uint8))
        for size in sizes
    )


def assert_equal(batches, expected, tolerance=1e-6):
    """Compares batches: labels exactly; images up to rounding of values below 3 in float32."""
    for batch, other in zip(batches, expected, strict=True):
        for array, reference in zip(batch, other, strict=True):
            assert (array.shape, array.dtype) == (reference.shape, reference.dtype)
        np.testing.assert_allclose(batch[0], other[0], rtol=0, atol=tolerance)
        np.testing.assert_array_equal(batch[1], other[1])


def training(module, source, settings, skip, count, **options):
    dataset = module.training_dataset(source.samples("train"), source, settings, skip, **options)
    if module is tensorflow_pipeline:
        dataset = dataset.as_numpy_iterator()
    return list(itertools.islice(dataset, count))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"crop_size": (48, 64), "scales": (0.5, 0.75, 1.0, 1.3, 2.0)},
        {"crop_size": (33, 31), "shift": 3, "seed": 2**31 - 1},
        {"crop_size": (16, 12), "downsample": 2, "scales": (1.0,), "shift": 2},
        {"batch_size": 10, "scales": (1.0,), "flip": False},
        {"batch_size": 1, "seed": 77, "scales": (0.1, 3.0)},
        {"color_jitter": 0.4, "shift": 2},
    ],
)
def test_batches_are_those_of_tensorflow(source, options):
    """Also across epochs of 10 images, and after skipped batches."""
    settings = TrainingPipeline(**{"batch_size": 3, "crop_size": (32, 32), "seed": 4, **options})
    for skip in (0, 5, 1000):
        expected = training(tensorflow_pipeline, source, settings, skip, 5)
        found = training(numpy_pipeline, source, settings, skip, 5, processes=0)
        # Sums over all pixels and over channels, in another order: 1.1e-6 was seen.
        assert_equal(found, expected, 3e-6 if settings.color_jitter else 1e-6)


def test_other_processes_give_the_same_batches(source):
    settings = TrainingPipeline(2, (32, 48), shift=1, seed=5, cache=True)
    expected = training(numpy_pipeline, source, settings, 3, 12, processes=0)
    found = training(numpy_pipeline, source, settings, 3, 12, processes=2)
    for batch, other in zip(found, expected, strict=True):
        for array, reference in zip(batch, other, strict=True):
            np.testing.assert_array_equal(array, reference)


def test_the_sentence_of_a_faulty_file_arrives(source):
    path = source.root / "trainannot" / "006.png"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=r"006\.png is damaged"):
        training(numpy_pipeline, source, TrainingPipeline(2, (32, 48)), 0, 5, processes=1)
    with pytest.raises(DataError, match=r"006\.png is damaged"):
        list(numpy_pipeline.evaluation_dataset(source.samples("train"), source))


def test_a_cache_reads_each_file_once(source, monkeypatch):
    read, names = source.read, []

    def recorded(sample, **options):
        names.append(sample.image.name)
        return read(sample, **options)

    monkeypatch.setattr(source, "read", recorded)
    settings = TrainingPipeline(2, (32, 48), cache=True)
    training(numpy_pipeline, source, settings, 0, 15, processes=0)
    assert len(names) == len(set(names)) == 10


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalize": False},
        {"size_multiple": 32},
        {"downsample": 2, "size_multiple": 16, "normalize": False},
    ],
)
def test_evaluation_is_that_of_tensorflow(source, options):
    samples = source.samples("train")
    expected = tensorflow_pipeline.evaluation_dataset(samples, source, **options)
    found = numpy_pipeline.evaluation_dataset(samples, source, **options)
    assert len(found) == 10
    for _ in range(2):
        assert_equal(found, expected.as_numpy_iterator())


def test_pairs_are_of_both_datasets():
    pairs = numpy_pipeline.zipped(iter("ab"), iter("cd"))
    assert list(pairs) == [("a", "c"), ("b", "d")]


def test_no_samples_are_refused(source):
    with pytest.raises(ValueError, match="no samples"):
        numpy_pipeline.evaluation_dataset((), source)
    with pytest.raises(ValueError, match="no samples"):
        numpy_pipeline.training_dataset((), source, TrainingPipeline(1, (8, 8)))
