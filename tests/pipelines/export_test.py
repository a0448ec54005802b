"""Which options go with which format; what is written is tested beside the writers."""

import pathlib

import pytest

from keras_fasterseg.pipelines.export import FORMATS, export

NOWHERE = pathlib.Path("gone.keras")


def test_the_formats():
    assert FORMATS == ("saved_model", "onnx", "openvino", "litert")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "coreml"}, "no format 'coreml' to export to; choose one of saved_model, onnx"),
        ({"input_size": (64, 64)}, "takes images of every size.*leave --input_size"),
        ({"batch_size": 2}, "takes images of every size"),
        ({"output": "logits"}, "has both outputs"),
        ({"format": "onnx"}, "made for one size of images; give --input_size=HEIGHTxWIDTH"),
    ],
)
def test_options_that_do_not_go_with_the_format_are_refused_at_once(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export(NOWHERE, tmp_path / "1", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.keras"):
        export(NOWHERE, tmp_path / "1")
