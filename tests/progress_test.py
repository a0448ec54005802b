import sys

import pytest

from keras_fasterseg.progress import progress_bar


@pytest.mark.parametrize("terminal", [True, False])
def test_items_come_through(capsys, monkeypatch, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert list(progress_bar(iter("abc"), "letters", unit="letter", total=3)) == ["a", "b", "c"]
    text = capsys.readouterr().err
    assert "letters" in text
    assert "3/3" in text


def test_a_log_is_not_filled(capsys):
    for _ in progress_bar(range(1000), "many", unit="item"):
        pass
    # One line at the beginning and one at the end.
    assert capsys.readouterr().err.count("many") == 2


def test_no_bar(capsys):
    assert list(progress_bar([1, 2], "quiet", unit="item", show=False)) == [1, 2]
    assert not capsys.readouterr().err
