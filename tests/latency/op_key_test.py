import dataclasses

import pytest

from keras_fasterseg.latency.op_key import OpKey

KEY = OpKey("conv_2x", 128, 256, 32, 64, 2)


def test_text_form():
    assert str(KEY) == "conv_2x:128x256:32->64/2"


def test_text_form_with_attributes():
    key = OpKey("block", 64, 128, 64, 48, 1, (("pooled", 1), ("dilation", 4)))
    assert str(key) == "block:64x128:64->48/1:dilation=4,pooled=1"
    assert key == OpKey("block", 64, 128, 64, 48, 1, (("dilation", 4), ("pooled", 1)))


@pytest.mark.parametrize("attributes", [(), (("dilation", 16),), (("kernel", 3), ("groups", 0))])
def test_parse_is_the_inverse_of_str(attributes):
    key = OpKey("conv_2x", 7, 11, 8, 19, 1, attributes)
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
        "conv_2x:128x256:32->64/2:",
        "conv_2x:128x256:32->64/2:dilation",
        "conv_2x:128x256:32->64/2:dilation=4,",
    ],
)
def test_parse_names_the_form_it_expects(text):
    with pytest.raises(ValueError, match="operation:HEIGHTxWIDTH:IN->OUT/STRIDE"):
        OpKey.parse(text)


def test_parse_validates_as_the_constructor():
    with pytest.raises(ValueError, match="stride=3"):
        OpKey.parse("conv:128x256:32->64/3")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"operation": "Pool"}, "start with a lower-case letter .* Received: 'Pool'"),
        ({"attributes": (("a=1", 2),)}, "Received: 'a=1'"),
        ({"attributes": (("kernel", -1),)}, "kernel=-1"),
        ({"attributes": (("kernel", 3), ("kernel", 5))}, "exactly one value"),
        ({"height": 0}, "height=0"),
        ({"width": -4}, "width=-4"),
        ({"in_filters": 3.0}, "in_filters=3.0"),
        ({"out_filters": True}, "out_filters=True"),
        ({"stride": 3}, "stride=3"),
    ],
)
def test_what_no_operation_can_have_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(KEY, **changes)


def test_keys_order_by_operation_then_numbers():
    keys = [KEY, OpKey("conv", 256, 512, 8, 8, 1), OpKey("conv", 64, 512, 8, 8, 1)]
    assert sorted(keys) == [keys[2], keys[1], keys[0]]
    assert len({KEY, OpKey.parse(str(KEY))}) == 1
