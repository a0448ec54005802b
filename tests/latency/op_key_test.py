import dataclasses

import pytest

from keras_fasterseg.latency.op_key import OPERATIONS, OpKey

KEY = OpKey("conv_2x", 128, 256, 32, 64, 2)


def test_text_form():
    assert str(KEY) == "conv_2x:128x256:32->64/2"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_parse_is_the_inverse_of_str(operation):
    key = OpKey(operation, 7, 11, 8, 19, 1)
    assert OpKey.parse(str(key)) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "conv_2x",
        "conv_2x:128x256:32->64",
        "conv_2x:128x256:32->64/2 ",
        "conv_2x:128x-256:32->64/2",
        "conv_2x:128x256:32->64/2/1",
    ],
)
def test_parse_names_the_form_it_expects(text):
    with pytest.raises(ValueError, match="operation:HEIGHTxWIDTH:IN->OUT/STRIDE"):
        OpKey.parse(text)


def test_parse_validates_as_the_constructor():
    with pytest.raises(ValueError, match="operation='deconv'"):
        OpKey.parse("deconv:128x256:32->64/2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"operation": "pool"}, "operation='pool'"),
        ({"height": 0}, "height=0"),
        ({"width": -4}, "width=-4"),
        ({"in_filters": 3.0}, "in_filters=3.0"),
        ({"out_filters": True}, "out_filters=True"),
        ({"stride": 3}, "stride=3"),
        ({"operation": "head"}, "stride=2"),
        ({"operation": "fusion"}, "stride=2"),
    ],
)
def test_what_no_operation_can_have_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(KEY, **changes)


def test_keys_order_by_operation_then_numbers():
    keys = [KEY, OpKey("conv", 256, 512, 8, 8, 1), OpKey("conv", 64, 512, 8, 8, 1)]
    assert sorted(keys) == [keys[2], keys[1], keys[0]]
    assert len({KEY, OpKey.parse(str(KEY))}) == 1
