import pytest

from keras_fasterseg.wording import counted, duration, few, text_table


def test_words():
    assert (counted(0, "file"), counted(1, "file")) == ("0 files", "1 file")
    assert counted(12345, "file") == "12,345 files"
    assert few("abc") == "a, b, c"
    assert few("abcde") == "a, b, c and 2 more"
    assert (counted(1, "class", "classes"), counted(3, "class", "classes")) == (
        "1 class",
        "3 classes",
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(45, "45 s"), (750, "12.5 min"), (3.25 * 3600, "3.2 h"), (4.1 * 86400, "4.1 days")],
)
def test_durations_have_the_unit_that_people_would_take(seconds, text):
    assert duration(seconds) == text


def test_first_columns_are_aligned_as_told_and_the_others_to_the_right():
    text = text_table(("a", "bb", "cc"), [("x", "1", "2"), ("yyy", "1.0", "3")], "lr")
    assert text.splitlines() == [
        "a      bb    cc",
        "---  ----  ----",
        "x       1     2",
        "yyy   1.0     3",
    ]
