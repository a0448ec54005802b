from keras_fasterseg.wording import counted, few


def test_words():
    assert (counted(0, "file"), counted(1, "file")) == ("0 files", "1 file")
    assert counted(12345, "file") == "12,345 files"
    assert few("abc") == "a, b, c"
    assert few("abcde") == "a, b, c and 2 more"
    assert (counted(1, "class", "classes"), counted(3, "class", "classes")) == (
        "1 class",
        "3 classes",
    )
