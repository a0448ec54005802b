import math

import numpy as np
import pytest

from keras_fasterseg.latency.interpolation import (
    CHECKED_OPERATIONS,
    grid_neighbours,
    interpolated_sample,
    interpolation_errors,
    interpolation_summary,
)
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from tests.latency.interpolated_operation import conv
from tests.latency.table_test import METADATA


def block(in_filters, middle, out_filters):
    attributes = (("dilation", 4), ("middle", middle))
    return OpKey("block", 32, 64, in_filters, out_filters, 1, attributes)


def table_of(keys, latency=lambda key: float(key.out_filters**2)):
    rows = {key: LatencyRow(*[latency(key)] * 3, repetitions=1) for key in keys}
    return LatencyTable(rows, METADATA)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (4, {4: 1.0}),
        (15, {15: 1.0}),
        (16, {16: 1.0}),
        (20, {16: 0.75, 32: 0.25}),
        (31, {16: 1 / 16, 32: 15 / 16}),
        (128, {128: 1.0}),
        (124, {112: 0.25, 128: 0.75}),
    ],
)
def test_a_number_lies_between_two_multiples_of_the_step(number, expected):
    assert grid_neighbours(conv(number, 64)) == {conv(n, 64): w for n, w in expected.items()}
    assert grid_neighbours(conv(64, number)) == {conv(64, n): w for n, w in expected.items()}


def test_other_steps_and_names():
    assert grid_neighbours(conv(20, 20), step=4) == {conv(20, 20): 1.0}
    assert grid_neighbours(conv(20, 20), fields=("out_filters",)) == {
        conv(20, 16): 0.75,
        conv(20, 32): 0.25,
    }
    assert grid_neighbours(conv(20, 20), fields=()) == {conv(20, 20): 1.0}
    with pytest.raises(KeyError, match="middle"):
        grid_neighbours(conv(20, 20), attributes=("middle",))


@pytest.mark.parametrize("widths", [(64, 64, 64), (60, 64, 36), (64, 40, 52), (44, 52, 60)])
def test_exact_for_functions_that_are_affine_in_each_number(widths):
    def latency(key):
        middle = dict(key.attributes)["middle"]
        return 0.25 * key.in_filters * middle + 0.5 * middle * key.out_filters + 7.0

    key = block(*widths)
    weights = grid_neighbours(key, attributes=("middle",))
    assert len(weights) == 2 ** sum(width % 16 > 0 for width in widths)
    assert all(each.operation == "block" and each.stride == 1 for each in weights)
    # All of these numbers are multiples of 1/4096 and below 2**20: float64 is exact.
    assert sum(weights.values()) == 1
    assert sum(weight * latency(each) for each, weight in weights.items()) == latency(key)


def test_three_widths_have_the_weights_of_the_corners_of_a_cube():
    weights = grid_neighbours(block(20, 24, 28), attributes=("middle",))
    assert weights == {
        block(i, m, o): wi * wm * wo
        for i, wi in ((16, 0.75), (32, 0.25))
        for m, wm in ((16, 0.5), (32, 0.5))
        for o, wo in ((16, 0.25), (32, 0.75))
    }


def test_a_sample_has_only_interpolated_keys_each_once():
    off_grid = [conv(16, 33 + filters) for filters in range(15)]
    others = [conv(16, 16), OpKey("head", 32, 64, 33, 19, 1)]
    keys = [*others, *off_grid, *off_grid]
    assert set(interpolated_sample(keys, np.random.default_rng(0))) == set(off_grid)
    many = [conv(17, 33 + filters) for filters in range(15)]
    first, second = (interpolated_sample(keys + many, np.random.default_rng(0)) for _ in range(2))
    assert first == second
    assert len(set(first)) == CHECKED_OPERATIONS == len(first)
    assert interpolated_sample(others, np.random.default_rng(0)) == ()


def test_errors_of_a_square():
    """Halfway between 16 and 32 the chord of a square is 640, at 20 it is 448."""
    keys = [conv(16, 16), conv(16, 32), conv(16, 20), conv(16, 24)]
    errors = interpolation_errors(table_of(keys))
    assert errors == pytest.approx({conv(16, 20): 448 / 400 - 1, conv(16, 24): 640 / 576 - 1})
    assert interpolation_summary(table_of(keys)) == (
        "Interpolated rows: median error 11.6 %, largest error 12.0 % (2 operations, measured as a "
        "check)."
    )


def test_errors_have_no_sign():
    def root(key):
        return math.sqrt(key.out_filters)

    errors = interpolation_errors(table_of([conv(16, 16), conv(16, 64), conv(16, 32)], root))
    assert errors == {}
    errors = interpolation_errors(table_of([conv(16, 16), conv(16, 32), conv(16, 24)], root))
    assert errors == pytest.approx({conv(16, 24): 1 - (4 + 32**0.5) / 2 / 24**0.5})


def test_tables_without_anything_to_compare_have_no_errors():
    for keys in ([], [conv(16, 16), conv(16, 32)], [conv(16, 16), conv(16, 24)]):
        assert interpolation_errors(table_of(keys)) == {}
        assert interpolation_summary(table_of(keys)) is None
