import json
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_fasterseg.data.camvid import CamVid
from keras_fasterseg.data.check_samples import check_samples
from keras_fasterseg.data.class_order import in_class_order
from keras_fasterseg.data.converted_dataset import ConvertedDataset
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.label_statistics import label_histogram
from keras_fasterseg.data.pipeline import evaluation_dataset, training_dataset
from keras_fasterseg.data.pipeline_settings import TrainingPipeline
from keras_fasterseg.data.record_format import encode_record
from keras_fasterseg.data.registry import load_source
from keras_fasterseg.files import sha256
from keras_fasterseg.jobs.convert_dataset import ConversionSettings, convert_dataset

RNG = np.random.default_rng(0)


def pair(height=36, width=52):
    image = RNG.integers(0, 256, (height, width, 3), np.uint8)
    return image, RNG.integers(0, 12, (height, width), np.uint8)


@pytest.fixture
def source(make_camvid):
    return make_camvid([pair() for _ in range(7)])


@pytest.fixture
def converted(source, tmp_path_factory):
    return convert(source, tmp_path_factory.mktemp("shards"))


def convert(source, target, **settings):
    # Two samples of random pixels fill a shard.
    settings = {"splits": "train", "shard_mb": 0.01, **settings}
    return convert_dataset(source, source.name, target, ConversionSettings(**settings), False)


def evaluation(source, **options):
    return list(evaluation_dataset(source.samples("train"), source, **options).as_numpy_iterator())


def assert_equal(batches, others):
    assert len(batches) == len(others) > 0
    for batch, other in zip(batches, others, strict=True):
        for part, other_part in zip(batch, other, strict=True):
            assert part.dtype == other_part.dtype
            np.testing.assert_array_equal(part, other_part)


@pytest.mark.parametrize("encoding", ["png", "raw"])
@pytest.mark.parametrize(("stored", "read"), [(1, 1), (1, 2), (2, 1)])
def test_training_batches_are_those_of_the_files(source, tmp_path, encoding, stored, read):
    def batches(source, downsample, skip_batches):
        pipeline = TrainingPipeline(3, (24, 32), downsample=downsample, seed=4)
        dataset = training_dataset(source.samples("train"), source, pipeline, skip_batches)
        return list(dataset.take(6).as_numpy_iterator())

    converted = convert(source, tmp_path / "shards", encoding=encoding, downsample=stored)

    for skip in (0, 3):
        assert_equal(batches(converted, read, skip), batches(source, stored * read, skip))


def test_evaluation_is_that_of_the_files(source, converted):
    for options in ({"normalize": False}, {"size_multiple": 32}):
        assert_equal(evaluation(converted, **options), evaluation(source, **options))


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_photographs_are_read_as_from_their_files(tmp_path, camvid, encoding):
    (tmp_path / "files").mkdir()
    for folder in ("val", "valannot"):
        (tmp_path / "files" / folder).mkdir()
        for path in sorted((camvid.root / folder).iterdir())[:3]:
            (tmp_path / "files" / folder / path.name).write_bytes(path.read_bytes())
    files = CamVid(tmp_path / "files")
    converted = convert(files, tmp_path / "shards", splits="val", encoding=encoding)

    for sample, stored in zip(files.samples("val"), converted.samples("val"), strict=True):
        assert stored.image.name == sample.image.name
        for array, other in zip(files.read(sample), converted.read(stored), strict=True):
            np.testing.assert_array_equal(array, other)


def test_images_of_different_sizes_and_kinds(make_camvid, tmp_path_factory):
    source = make_camvid([pair(), pair(40, 33)])
    Image.fromarray(pair()[0][..., 0]).save(source.root / "train" / "000.png")
    converted = convert(source, tmp_path_factory.mktemp("shards"), encoding="raw")

    assert_equal(evaluation(converted), evaluation(source))
    assert [converted.read_size(each) for each in converted.samples("train")] == [
        (36, 52),
        (40, 33),
    ]


def test_classes_in_another_order(source, converted):
    order = ",".join(reversed(source.class_names))
    files, shards = (in_class_order(each, order) for each in (source, converted))
    pairs = zip(files.samples("train"), shards.samples("train"), strict=True)
    for sample, stored in pairs:
        np.testing.assert_array_equal(shards.read(stored)[1], files.read(sample)[1])
        np.testing.assert_array_equal(shards.read_label(stored), files.read_label(sample))


def test_nothing_but_its_folder_is_needed(source, converted):
    for path in list(source.root.rglob("*.png")):
        path.unlink()

    again = load_source("camvid", converted.root)

    assert isinstance(again, ConvertedDataset)
    assert (again.name, again.split_names) == ("camvid", ("train",))
    assert again.class_names == CamVid.class_names
    np.testing.assert_array_equal(again.palette, CamVid.palette)
    assert (again.mean, again.std, again.ignore_label) == (CamVid.mean, CamVid.std, 255)
    assert check_samples(again, "train", progress=False) == 7
    assert again.verify(progress=False) == 4


def test_labels_are_counted_as_in_the_files(source, converted):
    expected = label_histogram(source.samples("train"), source)
    np.testing.assert_array_equal(label_histogram(converted.samples("train"), converted), expected)


def test_shards_are_tfrecord_files(source, converted):
    shards = sorted(str(path) for path in converted.root.glob("train-*.tfrecord"))
    records = list(tf.data.TFRecordDataset(shards).as_numpy_iterator())
    names = [
        tf.train.Example.FromString(record).features.feature["name"].bytes_list.value[0].decode()
        for record in records
    ]

    assert len(shards) == 4
    assert names == [f"train/{number:03d}.png" for number in range(7)]


def test_a_shard_that_was_cut_off_is_named(converted):
    path = converted.root / "train-00001.tfrecord"
    data = path.read_bytes()
    path.write_bytes(data[:-10])

    with pytest.raises(DataError, match=rf"The shard {path} has {len(data) - 10} bytes instead of"):
        load_source("camvid", converted.root)
    path.unlink()
    with pytest.raises(DataError, match=f"The shard {path} is missing; convert"):
        load_source("camvid", converted.root)


@pytest.mark.parametrize("position", [12, 2000, -5])
def test_a_changed_byte_is_found(converted, position):
    path = converted.root / "train-00002.tfrecord"
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    opened = load_source("camvid", converted.root)

    with pytest.raises(DataError, match=f"The shard {path} has changed: its SHA-256"):
        opened.verify(progress=False)
    with pytest.raises(
        DataError, match=rf"The shard {path} is damaged: the checksum of the record train/00\d.png"
    ):
        check_samples(opened, "train", progress=False)
    # As `tools.command` shows it.
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"DataError: The shard .* is damaged"):
        evaluation(opened)


def forged(root, image, label):
    """The first record of a converted data set replaced, and the index made to agree with it."""
    path = root / "index.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    (shard, *_), value["splits"]["train"] = value["splits"]["train"], value["splits"]["train"][:1]
    data = encode_record(image, label, "a.png", value["encoding"])
    with tf.io.TFRecordWriter(str(root / shard["file"])) as writer:
        writer.write(data)
    record = {**shard["records"][0], "size": len(data), "crc32": zlib.crc32(data)}
    shard.update(size=len(data) + 16, records=[record])
    path.write_text(json.dumps(value), encoding="utf-8")
    return load_source("camvid", root)


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_a_record_that_is_not_what_the_index_says(source, tmp_path, encoding):
    image, label = pair()
    root = convert(source, tmp_path / "shards", encoding=encoding).root
    for pixels, train_ids, words in (
        (
            image,
            np.maximum(label, 11),
            "holds the id 11, but there are 11 classes; convert",
        ),
        (
            image[:, 1:],
            label[:, 1:] % 11,
            r"its image (is not an 8-bit RGB PNG|must be a PNG file)",
        ),
        (image, label[1:] % 11, r"its label (is not an 8-bit L PNG of 36 x 52|must be a PNG file)"),
    ):
        converted = forged(root, pixels, train_ids)
        (sample,) = converted.samples("train")
        with pytest.raises(DataError, match=rf"The shard .* does not match its index: .*{words}"):
            converted.read(sample)
    converted = forged(root, image, label % 11)
    np.testing.assert_array_equal(converted.read(converted.samples("train")[0])[1], label % 11)


def test_a_record_of_more_pixels_than_the_limit(converted):
    converted.max_megapixels = 0.001
    with pytest.raises(DataError, match=r"000\.png is 36 x 52, 0\.0 megapixels, and the limit is"):
        converted.read(converted.samples("train")[0])


def test_a_shard_that_has_gone_since(converted):
    samples = converted.samples("train")
    samples[0].shard.unlink()
    with pytest.raises(DataError, match=r"cannot be read .*No such file"):
        converted.read(samples[0])


def test_the_index_of_other_shards(source, converted, make_camvid, tmp_path_factory):
    other = convert(source, tmp_path_factory.mktemp("other"), encoding="raw")
    (converted.root / "index.json").write_bytes((other.root / "index.json").read_bytes())
    with pytest.raises(DataError, match=r"train-00000.tfrecord has \d+ bytes instead of \d+"):
        load_source("camvid", converted.root)


def test_an_index_that_leads_out_of_its_folder(converted):
    path = converted.root / "index.json"
    outside = converted.root.parent / "outside.tfrecord"
    outside.write_bytes((converted.root / "train-00000.tfrecord").read_bytes())
    value = json.loads(path.read_text(encoding="utf-8"))
    for file in ("../outside.tfrecord", str(outside)):
        value["splits"]["train"][0]["file"] = file
        path.write_text(json.dumps(value), encoding="utf-8")
        with pytest.raises(DataError, match="must stay inside the folder"):
            load_source("camvid", converted.root)
    outside.unlink()


def test_another_name_than_it_was_converted_from(converted):
    with pytest.raises(
        DataError, match="holds the converted data set 'camvid', not 'cityscapes'; set"
    ):
        load_source("cityscapes", converted.root)


def test_another_programs_index_is_no_obstacle(source):
    (source.root / "index.json").write_text("{}", encoding="utf-8")
    assert isinstance(load_source("camvid", source.root), CamVid)


def test_unknown_split_lists_the_known(converted):
    with pytest.raises(ValueError, match="has no split 'val'; it has train"):
        converted.samples("val")


def test_digests_are_those_of_the_files(converted):
    for shards in converted.index.splits.values():
        for shard in shards:
            assert sha256(converted.root / shard.file) == shard.sha256
