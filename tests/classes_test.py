import json
import re
import shlex

import pytest

from keras_fasterseg.classes import Classes, check_same_classes
from keras_fasterseg.data.class_order import reordered

YARD = ("grass", "path", "ball")


def test_json_and_back():
    classes = Classes(YARD, ((0, 128, 0), (9, 9, 9), (255, 0, 0)), ("255",))
    assert Classes.from_json(json.loads(json.dumps(classes.to_json()))) == classes
    assert Classes.from_json({"names": ["a"], "later": 1}) == Classes(("a",))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "must be a JSON object"),
        ({"names": []}, "1 to 255 different names"),
        ({"names": ["a", "a"]}, "1 to 255 different names"),
        ({"names": [str(index) for index in range(256)]}, "1 to 255 different names"),
        ({"names": ["a", 1]}, "lists of strings"),
        ({"names": "ab"}, "lists of strings"),
        ({"names": ["a"], "colors": [[0, 0, 256]]}, "from 0 to 255"),
        ({"names": ["a"], "colors": [[0, 0, True]]}, "from 0 to 255"),
        ({"names": ["a"], "colors": [[0, 0]]}, "from 0 to 255"),
        ({"names": ["a"], "colors": [[0, 0, 0], [1, 1, 1]]}, "2 colours for 1 names"),
        ({"names": ["a"], "ignored": [255]}, "lists of strings"),
    ],
)
def test_what_is_no_classes(value, message):
    with pytest.raises(ValueError, match=message):
        Classes.from_json(value)


@pytest.mark.parametrize(
    ("names", "count"), [(YARD, 3), (list(YARD), None), (None, 3), (None, None)]
)
def test_the_same_classes(names, count):
    check_same_classes(names, count, "The network n", YARD, "yard")


def test_the_order_in_the_message_can_be_pasted():
    names = ("sign symbol", "car, parked", "sky")
    with pytest.raises(ValueError, match="another order") as error:
        check_same_classes(names, 3, "The network n", names[::-1], "yard")
    (flag,) = shlex.split(str(error.value).rpartition("set ")[2])
    assert reordered(names[::-1], flag.partition("=")[2]) == (names, [2, 1, 0])


@pytest.mark.parametrize(
    ("names", "count", "message"),
    [
        (
            ("path", "grass", "ball"),
            3,
            "The network n has 3 classes (path, grass, ball), but the data set yard has 3 (grass, "
            "path, ball): the same names in another order. To read the data set in the network's "
            "order, set --class_order=path,grass,ball",
        ),
        (
            ("lawn", "path", "ball"),
            3,
            "The network n has 3 classes (lawn, path, ball), but the data set yard has 3 (grass, "
            "path, ball): other names. Use the data set that it was trained on. If the names mean "
            "the same, list the data set's classes in the network's order with --class_order, "
            "and write NEW=OLD to rename a class: NEW is the network's name, OLD the data set's.",
        ),
        (
            ("path", "grass"),
            2,
            "The network n has 2 classes (path, grass), but the data set yard has 3 (grass, path, "
            "ball); use the data set that it was trained on.",
        ),
        (
            None,
            19,
            "The network n has 19 classes, but the data set yard has 3 (grass, path, ball); use "
            "the data set that it was trained on.",
        ),
    ],
)
def test_other_classes(names, count, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_same_classes(names, count, "The network n", YARD, "yard")
