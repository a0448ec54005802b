import numpy as np
import pytest

from keras_fasterseg.data.class_order import in_class_order, reordered
from keras_fasterseg.data.folder import Folder
from tests.data.own_files import write_pair

IDS = np.array([[10, 20], [30, 255]], np.uint8)
FILE = """
classes:
- {name: grass, color: [1, 1, 1], ids: 10}
- {name: path, color: [2, 2, 2], ids: 20}
- {name: "ball, red", color: [3, 3, 3], ids: 30}
"""
ORDER = '"ball, red",lawn=grass,path'


@pytest.fixture
def yard(tmp_path):
    write_pair(
        tmp_path / "images" / "train" / "a.png", tmp_path / "labels" / "train" / "a.png", IDS
    )
    (tmp_path / "dataset.yaml").write_text(FILE, encoding="utf-8")
    return Folder(tmp_path)


def test_labels_names_and_colours_follow_the_order(yard):
    ordered = in_class_order(yard, ORDER)
    assert ordered.class_names == ("ball, red", "lawn", "path")
    np.testing.assert_array_equal(ordered.palette[:, 0], [3, 1, 2])
    (sample,) = ordered.samples("train")
    np.testing.assert_array_equal(ordered.read_label(sample), [[1, 2], [0, 255]])
    _, labels = ordered.read(sample)
    np.testing.assert_array_equal(labels, [[1, 2], [0, 255]])
    # The one that was there is as it was.
    np.testing.assert_array_equal(yard.read_label(sample), [[0, 1], [2, 255]])
    assert yard.classes.names == ("grass", "path", "ball, red")
    assert ordered.classes.ignored == yard.classes.ignored == ("255",)


@pytest.mark.parametrize(
    "order",
    ["", "a", "a,b", "a,b,b", "a,b,c,c", "a,b,c,d", "a,b,d=b", "x=a,x=b,c", "x=d,a,b"],
)
def test_every_class_once(order):
    with pytest.raises(ValueError, match=r"every class of the data set once: a, b, c\. Received: "):
        reordered(("a", "b", "c"), order)


def test_a_name_with_an_equals_sign():
    names, positions = reordered(("a=b", "b"), "b,a=b")
    assert (names, positions) == (("b", "a=b"), [1, 0])
