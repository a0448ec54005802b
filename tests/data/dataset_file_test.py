import numpy as np
import pytest

from keras_fasterseg.data.dataset_file import DATASET_FILE, read_dataset_file
from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.source import NOT_ALLOWED
from keras_fasterseg.image_normalization import IMAGENET_MEAN, IMAGENET_STD


@pytest.fixture
def read(tmp_path):
    """The file of a text, in the folder `yard`."""
    path = tmp_path / "yard" / DATASET_FILE
    path.parent.mkdir()

    def read(text):
        path.write_text(text, encoding="utf-8")
        return read_dataset_file(path)

    return read


def lookup(**train_ids):
    expected = np.full(256, NOT_ALLOWED, np.uint8)
    for name, train_id in train_ids.items():
        expected[int(name[1:])] = train_id
    return expected


def test_names_are_enough(read):
    file = read("classes: [road, car, 'no']")
    assert file.name == "yard"
    assert file.class_names == ("road", "car", "no")
    np.testing.assert_array_equal(file.label_lookup, lookup(_0=0, _1=1, _2=2, _255=255))
    assert file.label_colors is None
    assert (file.mean, file.std) == (IMAGENET_MEAN, IMAGENET_STD)
    assert file.splits == {}


def test_colours_are_made_where_there_are_none(read):
    # The first that would be made is given to another class.
    file = read("classes: [a, {name: b, color: [128, 0, 0]}, c]")
    np.testing.assert_array_equal(file.palette, [(0, 128, 0), (128, 0, 0), (128, 128, 0)])


def test_most_classes(read):
    names = [f"class {index}" for index in range(254)]
    file = read(f"classes: {names}")
    assert len(file.class_names) == 254
    assert len({tuple(color) for color in file.palette}) == 254
    np.testing.assert_array_equal(file.label_lookup, [*range(254), NOT_ALLOWED, 255])


def test_ids_of_ones_own(read):
    file = read(
        """
        name: the yard
        classes:
          - {name: lane, ids: [7, 8]}
          - {name: person, ids: 24, color: [220, 20, 60]}
        ignore_index: [0, 34]
        """
    )
    assert file.name == "the yard"
    np.testing.assert_array_equal(file.label_lookup, lookup(_7=0, _8=0, _24=1, _0=255, _34=255))


def test_masks_of_0_and_255(read):
    file = read("classes: [{name: ground, ids: 0}, {name: lane, ids: 255}]")
    np.testing.assert_array_equal(file.label_lookup, lookup(_0=0, _255=1))


def test_coloured_labels(read):
    file = read(
        """
        labels: colors
        classes:
          - {name: lane, color: [128, 64, 128]}
          - {name: person, color: [220, 20, 60], label_colors: [[1, 1, 1], [2, 2, 2]]}
        ignore_colors: [0, 0, 0]
        """
    )
    np.testing.assert_array_equal(
        file.label_colors, [(128, 64, 128), (1, 1, 1), (2, 2, 2), (0, 0, 0)]
    )
    np.testing.assert_array_equal(file.label_lookup, lookup(_0=0, _1=1, _2=1, _3=255))
    np.testing.assert_array_equal(file.palette, [(128, 64, 128), (220, 20, 60)])


def test_normalisation_and_splits(read):
    file = read(
        """
        classes: [a, b]
        mean: [0.1, 0.2, 1]
        std: [0.3, 0.4, 0.5]
        splits: {val: validation}
        """
    )
    assert (file.mean, file.std) == ((0.1, 0.2, 1.0), (0.3, 0.4, 0.5))
    assert file.splits == {"val": "validation"}


def test_the_definition_is_what_decides_results(read):
    text = "classes: [{name: a, ids: 3}, {name: b, ids: 4}]"
    definition = read(text).definition()
    assert definition == {
        "classes": ["a", "b"],
        "labels": {"3": 0, "4": 1, "255": 255},
        "mean": list(IMAGENET_MEAN),
        "std": list(IMAGENET_STD),
        "splits": {},
    }
    shown = "name: other\nclasses: [{name: a, ids: 3, color: [1, 2, 3]}, {name: b, ids: 4}]"
    assert read(shown).definition() == definition


CLASSES = "classes: [a, b]\n"
COLORED = "labels: colors\nclasses: [{name: a, color: [1, 1, 1]}, {name: b, color: [2, 2, 2]}]\n"
ONE_TO_256 = ", ".join(f"[{index}, 0, 0]" for index in range(256))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file must be a mapping with keys among name, classes.* Received: None"),
        ("[a, b]", r"the file must be a mapping .* Received: \['a', 'b'\]"),
        ("classes: [a", "the file is not valid YAML: .*line 1"),
        (
            CLASSES + CLASSES,
            r"the file is not valid YAML: the key 'classes' occurs twice, in line 2",
        ),
        ("class: [a, b]", "the file has the unknown key 'class'; use name, classes, labels"),
        ("name: x", "`classes` must be a list of 2 to 254 classes. Received: None"),
        ("classes: {0: a, 1: b}", r"`classes` must be a list of 2 .* Received: \{0: 'a', 1: 'b'\}"),
        ("classes: [a]", r"`classes` must be a list of 2 to 254 classes. Received: \['a'\]"),
        (f"classes: {[f'c{i}' for i in range(255)]}", "`classes` must be a list of 2 to 254"),
        ("classes: [a, a]", "Names of `classes` must differ. Received: 'a' twice"),
        (
            "classes: [a, no]",
            r"The name of classes\[1\] must be one line of text .*quote.* Received: False",
        ),
        ("classes: [a, 7]", r"The name of classes\[1\] must be one line of text .* Received: 7"),
        (
            "classes: [a, {ids: 1}]",
            r"The name of classes\[1\] must be one line of text .* Received: None",
        ),
        (
            "classes: [a, {name: ''}]",
            r"The name of classes\[1\] must be one line of text .* Received: ''",
        ),
        (
            "classes: [a, {name: b, colour: 1}]",
            r"classes\[1\] has the unknown key 'colour'; use name, color, ids, label_colors",
        ),
        (
            "classes: [a, {name: b, color: '#804020'}]",
            "`color` of the class 'b' must be three whole numbers from 0 to 255.*'#804020'",
        ),
        ("classes: [a, {name: b, color: [1, 2, 256]}]", r"`color` .* Received: \[1, 2, 256\]"),
        (
            "classes: [{name: a, color: [1, 2, 3]}, {name: b, color: [1, 2, 3]}]",
            r"The colour \(1, 2, 3\) must be used only once. Received: it is in 'a' and in 'b'",
        ),
        ("classes: [{name: a, ids: 0}, b]", "Give `ids` for every class or for none.*'b'"),
        (
            "classes: [a, {name: b, ids: 256}]",
            "Give `ids` for every class .* no ids for 'a'",
        ),
        (
            "classes: [{name: a, ids: 0}, {name: b, ids: 256}]",
            "`ids` of the class 'b' must be a whole number from 0 to 255 .* Received: 256",
        ),
        (
            "classes: [{name: a, ids: 3}, {name: b, ids: [2, 3]}]",
            "The id 3 must be used only once. Received: it is in 'a' and in 'b'",
        ),
        (
            "classes: [{name: a, ids: [3, 3]}, {name: b, ids: 2}]",
            "The id 3 must be used only once. Received: it is in 'a' and in 'a'",
        ),
        (CLASSES + "ignore_index: 1", "The id 1 must .* it is in 'b' and in `ignore_index`"),
        (CLASSES + "ignore_index: -1", "`ignore_index` must be a whole number .* Received: -1"),
        (CLASSES + "labels: colours", "`labels` must be ids or colors. Received: 'colours'"),
        (CLASSES + "labels: [ids]", r"`labels` must be ids or colors. Received: \['ids'\]"),
        (
            CLASSES + "ignore_colors: [0, 0, 0]",
            "`ignore_colors` requires `labels: colors`. Received: ids",
        ),
        (
            "classes: [a, {name: b, label_colors: [0, 0, 0]}]",
            "`label_colors` requires `labels: colors`. Received: ids",
        ),
        (COLORED + "ignore_index: 0", "`ignore_index` requires `labels: ids`. Received: colors"),
        (
            "labels: colors\nclasses: [{name: a, color: [1, 1, 1], ids: 1}, b]",
            "`ids` requires `labels: ids`. Received: colors",
        ),
        (
            "labels: colors\nclasses: [{name: a, color: [1, 1, 1]}, b]",
            "`color` of the class 'b' is required, because labels are colours",
        ),
        (
            COLORED + "ignore_colors: [[0, 0, 0], [2, 2, 2]]",
            r"The colour \(2, 2, 2\) must .* it is in 'b' and in `ignore_colors`",
        ),
        (COLORED + "ignore_colors: 0", "`ignore_colors` must be three whole numbers.* Received: 0"),
        (
            COLORED + f"ignore_colors: [{ONE_TO_256}]",
            "The number of label colours must be at most 256. Received: 258",
        ),
        (CLASSES + "mean: [0.5, 0.5, 0.5]", "Give both `mean` and `std`, or neither"),
        (
            CLASSES + "mean: [123.7, 116.3, 103.5]\nstd: [0.2, 0.2, 0.2]",
            r"`mean` must be three numbers from 0 to 1 .*divide values.* Received: \[123.7",
        ),
        (
            CLASSES + "mean: [0.5, 0.5, 0.5]\nstd: [0.2, 0, 0.2]",
            r"Every `std` must be above 0. Received: \[0.2, 0.0, 0.2\]",
        ),
        (CLASSES + "mean: 0.5\nstd: 0.2", "`std` must be three numbers .* Received: 0.2"),
        (
            CLASSES + "name: 2024-01-01",
            "`name` must be one line of text .* Received: datetime.date",
        ),
        (CLASSES + "name: 2024-13-01", "month must be in 1..12"),
        (CLASSES + "splits: [val]", r"`splits` must be a mapping such as .* Received: \['val'\]"),
        (CLASSES + "splits: {val: 1}", "`splits.val` must be one line of text .* Received: 1"),
        (
            CLASSES + "splits: {1: val}",
            "A name in `splits` must be one line of text .* Received: 1",
        ),
        (CLASSES + "splits: {a+b: val}", r"Names in `splits` must be without \+"),
        (
            CLASSES + "splits: {val: x, test: x}",
            "The folder or file x must be used only once. Received: it is in val and in test",
        ),
    ],
)
def test_a_sentence_for_everything_that_is_wrong(read, text, message):
    with pytest.raises(DataError, match=rf"yard/dataset.yaml: {message}") as failure:
        read(text)
    assert "\n" not in str(failure.value)


def test_a_file_without_a_name_says_what_to_write(tmp_path):
    with pytest.raises(
        DataError, match=rf"file {tmp_path}/dataset.yaml does not exist. Write one .*classes:"
    ):
        read_dataset_file(tmp_path / DATASET_FILE)
