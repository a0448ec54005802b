import pytest

from keras_fasterseg.data.csv_list import CsvList
from keras_fasterseg.data.errors import DataError
from tests.data.own_files import (
    CAMVID_FILE,
    assert_same_arrays,
    copy_pair,
    write_pair,
)


@pytest.fixture
def make(tmp_path):
    """A data set with this `train.csv`."""
    (tmp_path / "dataset.yaml").write_text("classes: [ground, lane]")

    def make(table):
        content = table if isinstance(table, bytes) else table.encode()
        (tmp_path / "train.csv").write_bytes(content)
        return CsvList(tmp_path)

    return make


def test_camvid_by_a_table_is_camvid(tmp_path, camvid):
    (tmp_path / "dataset.yaml").write_text(CAMVID_FILE)
    samples = camvid.samples("train")[:2]
    rows = ["image,label"]
    for index, sample in enumerate(samples):
        image, label = f"{index}/photo, left{sample.image.suffix}", f"drawn/{index}_ids.png"
        copy_pair(sample, tmp_path / image, tmp_path / label)
        rows.append(f'"{image}",{label}')
    (tmp_path / "train.csv").write_text("\n".join(rows))
    assert_same_arrays(CsvList(tmp_path), "train", camvid)


def test_rows(make, tmp_path):
    source = make("\ufeffimage, label\r\nb.png,x/b_ids.PNG\r\n\r\n./x/../a.jpg, ./a.png\r\n")
    assert source.split_names == ("train",)
    assert [(pair.image, pair.label) for pair in source.pairs("train")] == [
        (tmp_path / "a.jpg", tmp_path / "a.png"),
        (tmp_path / "b.png", tmp_path / "x" / "b_ids.PNG"),
    ]
    # A table chooses what else would be told apart by its name.
    (tmp_path / "a.tif").touch()
    assert source.passed_over("train") == ()


def test_splits_are_the_tables(make, tmp_path):
    source = make("image,label\na.png,b.png\n")
    for name in ("test.csv", ".hidden.csv"):
        (tmp_path / name).write_text("image,label\n")
    source = CsvList(tmp_path)
    assert source.split_names == ("test", "train")
    with pytest.raises(DataError, match="has no images in its split 'test'"):
        source.pairs("test")


def test_files_that_are_not_there(make, tmp_path):
    source = make("image,label\na.png,b.png\n")
    write_pair(tmp_path / "a.png", None)
    with pytest.raises(
        DataError, match=rf"a\.png has no label: there is no file {tmp_path}/b\.png"
    ):
        source.samples("train")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", r"train\.csv: the first row must be image,label. Received: ''"),
        ("a.png,b.png\n", "the first row must be image,label. Received: 'a.png,b.png'"),
        ("image;label\n", "the first row must be image,label. Received: 'image;label'"),
        ("image,label,weight\n", "the first row must be image,label"),
        ("image,label\na.png\n", r"line 2: expected two columns.* Received: \['a.png'\]"),
        ("image,label\n\na.png,b.png,c\n", "line 3: expected two columns"),
        (
            "image,label\na.png,\n",
            r"line 2: the label must be a file that ends in \.png or \.bmp .* ''",
        ),
        ("image,label\na.png,b.jpg\n", "line 2: the label must be a file that ends in .png"),
        (
            "image,label\na.gif,b.png\n",
            "line 2: the image must be a file that ends in .png or .jpg",
        ),
        ("image,label\n../a.png,b.png\n", r"line 2: the image \.\./a\.png is outside"),
        ("image,label\na.png,x/../../b.png\n", r"the label x/\.\./\.\./b\.png is outside"),
        ("image,label\n/a.png,b.png\n", "the image /a.png is outside .*; name files inside it"),
        (
            "image,label\na.png,b.png\n./a.png,c.png\n",
            r"line 3: the image \./a\.png is already listed",
        ),
        ('image,label\n"a.png,b.png\n', "is not a comma-separated UTF-8 table .*unexpected end"),
        (b"image,label\n\xff.png,b.png\n", r"train\.csv is not a comma-separated UTF-8 table"),
    ],
)
def test_wrong_tables(make, table, message):
    source = make(table)
    with pytest.raises(DataError, match=message):
        source.pairs("train")


def test_absolute_paths_into_the_folder(make, tmp_path):
    """Whatever name the folder was given by: a link to it, or the folder itself."""
    link = tmp_path.with_name(f"{tmp_path.name}_link")
    link.symlink_to(tmp_path)
    make(f"image,label\n{tmp_path}/x/../a.png,{tmp_path}/a_ids.png\n")
    for root in (tmp_path, link):
        (pair,) = CsvList(root).pairs("train")
        assert (pair.image, pair.label) == (root / "a.png", root / "a_ids.png")
    source = make(f"image,label\n{tmp_path}_other/a.png,a.png\n")
    with pytest.raises(
        DataError, match=rf"the image {tmp_path}_other/a\.png is outside {tmp_path};"
    ):
        source.pairs("train")


def test_no_table(tmp_path):
    (tmp_path / "dataset.yaml").write_text("classes: [ground, lane]")
    with pytest.raises(
        DataError, match=r"no CSV table of a split: expected files such as .*train\.csv"
    ):
        CsvList(tmp_path)
