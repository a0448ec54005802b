"""Rounding of filters against the rules of the released code."""

import numpy as np
import pytest

from keras_fasterseg.filters import node_filters, round_filters


@pytest.mark.parametrize(
    ("filters", "expected"),
    [(1, 8), (8, 8), (11.9, 8), (12, 16), (12.1, 16), (20, 24), (64, 64), (67.9, 64), (0.1, 8)],
)
def test_round_filters(filters, expected):
    assert round_filters(filters) == expected


def test_round_filters_with_another_divisor():
    assert round_filters(5, divisor=4) == 4
    assert round_filters(6, divisor=4) == 8


@pytest.mark.parametrize("filters", [0, -8, float("nan"), float("inf")])
def test_round_filters_refuses(filters):
    with pytest.raises(ValueError, match="positive and finite"):
        round_filters(filters)


@pytest.mark.parametrize("base_filters", [6, 12, 24])
@pytest.mark.parametrize("scale", [8, 16, 32])
def test_node_filters_equal_the_three_released_rules(scale, base_filters):
    for twelfths in (4, 6, 8, 10, 12):
        exact = scale * base_filters * twelfths / 12
        lower = max(8, int(exact + 4) // 8 * 8)
        made_divisible = lower + 8 if lower < 0.9 * exact else lower
        filters = node_filters(scale, base_filters, twelfths / 12)
        assert filters == made_divisible == int(exact) == int(np.round(exact))


def test_node_filters_round_a_half_up_though_the_width_is_not_exact():
    assert node_filters(8, 9, 10 / 12) == 64
    assert node_filters(8, 9, 0.8333333333333333) == 64
