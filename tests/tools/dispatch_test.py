import pytest

from tests.shared import ROOT
from tools import dispatch


def test_all_programs_are_tools_and_helpers_are_not():
    assert {"run_all", "describe", "train", "export", "serving.client"} <= set(dispatch.tools())
    assert not {"command", "dispatch", "__init__"} & set(dispatch.tools())


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_usage_lists_tools_and_presets(arguments, capsys):
    dispatch.main(arguments)
    text = capsys.readouterr().out
    for name, sentence in dispatch.tools().items():
        assert name in text
        assert sentence
        assert sentence in text
    for preset in (ROOT / "flags/presets").glob("*.flags"):
        assert f"  {preset}\n" in text


def test_unknown_tools_are_answered_by_those_there_are():
    with pytest.raises(SystemExit, match=r"unknown tool 'trian'; choose one of .*train"):
        dispatch.main(["trian"])
