import pytest

from keras_fasterseg.data import yaml_values


@pytest.fixture
def read(tmp_path):
    """The value of a text."""

    def read(text):
        path = tmp_path / "file.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return yaml_values.read_yaml(path)

    return read


def test_plain_values(read):
    assert read("a: [1, 0.5, x]\nb: {c: null}") == {"a": [1, 0.5, "x"], "b": {"c": None}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "the file is not valid YAML: .*line 1"),
        ("a: 1\nb: 2\na: 3", "the key 'a' occurs twice.*line 3"),
        ("a: {b: 1, b: 1}", "the key 'b' occurs twice"),
        ("a: !!python/object/apply:os.getcwd []", "not valid YAML: .*python/object"),
        (b"\xff\xfe\xfa", "the file is not valid YAML"),
        ("{[1, 2]: 3}", "the file is not valid YAML: .*unhashable"),
        ("a: *b", "undefined alias"),
    ],
)
def test_what_is_no_yaml(read, text, message):
    with pytest.raises(ValueError, match=message) as failure:
        read(text)
    assert "\n" not in str(failure.value)


def test_a_value_that_unfolds_without_end_is_cut_short(read):
    levels = [
        f"x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 9)}]" for level in range(1, 30)
    ]
    bomb = read("\n".join(["x0: &x0 [a, a, a]", *levels]))
    error = yaml_values.wrong("a", "small", bomb)
    assert len(str(error)) < 300


def test_fields_names_what_is_unknown():
    assert yaml_values.fields("the file", {"a": 1}, ("a", "b")) == {"a": 1}
    with pytest.raises(ValueError, match="the file has the unknown key 'c'; use a, b"):
        yaml_values.fields("the file", {"c": 1}, ("a", "b"))
    with pytest.raises(ValueError, match=r"the file must be a mapping .* a, b. Received: \['a'\]"):
        yaml_values.fields("the file", ["a"], ("a", "b"))


@pytest.mark.parametrize("value", [None, 1, True, "", "  ", "two\nlines", ["a"]])
def test_what_is_no_text(value):
    with pytest.raises(ValueError, match=r"`name` must be one line of text .*quote it"):
        yaml_values.text("`name`", value)


def test_ids():
    assert yaml_values.ids("x", 255) == (255,)
    assert yaml_values.ids("x", [0, 7]) == (0, 7)


@pytest.mark.parametrize("value", [256, -1, 1.0, "1", True, None, [], [1, "a"], [[1]], {1: 2}])
def test_what_are_no_ids(value):
    with pytest.raises(ValueError, match="x must be a whole number from 0 to 255 or a list"):
        yaml_values.ids("x", value)


def test_colours():
    assert yaml_values.color("x", [0, 128, 255]) == (0, 128, 255)
    assert yaml_values.colors("x", [0, 128, 255]) == ((0, 128, 255),)
    assert yaml_values.colors("x", [[0, 0, 0], [1, 2, 3]]) == ((0, 0, 0), (1, 2, 3))


@pytest.mark.parametrize(
    "value", [None, "#804020", [1, 2], [1, 2, 256], [1, 2, True], [1, 2, 3.5], [], [[1, 2, 3], 4]]
)
def test_what_is_no_colour(value):
    message = r"x must be three whole numbers from 0 to 255, such as \[128, 64, 0\]"
    with pytest.raises(ValueError, match=message):
        yaml_values.color("x", value)
    with pytest.raises(ValueError, match=f"{message}, or a list of such"):
        yaml_values.colors("x", value)


def test_channels():
    assert yaml_values.channels("x", [0, 0.5, 1]) == (0.0, 0.5, 1.0)


@pytest.mark.parametrize(
    "value",
    [None, 0.5, [0.5, 0.5], [0.5, 0.5, 128], [0.5, 0.5, -0.1], [0.1, "a", 0.2], ["nan"] * 3],
)
def test_what_are_no_channels(value):
    with pytest.raises(ValueError, match="x must be three numbers from 0 to 1"):
        yaml_values.channels("x", value)


def test_not_a_number_is_no_channel():
    with pytest.raises(ValueError, match="three numbers from 0 to 1"):
        yaml_values.channels("x", [float("nan"), 0.5, 0.5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + 5000 * "1", "an integer of 5000 digits, in line 1, column 4"),
        ("a: 0x" + 5000 * "f", "an integer of 5002 digits"),
        (5000 * "[", "nested too deeply"),
    ],
)
def test_what_python_itself_cannot_take_is_refused(tmp_path, text, message):
    path = tmp_path / "dataset.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        yaml_values.read_yaml(path)
