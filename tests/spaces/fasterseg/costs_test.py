import dataclasses

import numpy as np
import pytest

from keras_fasterseg.spaces.fasterseg.costs import LatencyCosts


def make_costs(operations=5, widths=4):
    pair = np.ones((operations, widths, widths))
    line = np.ones((operations, widths))
    return LatencyCosts(1.0, (pair,) * 3, (pair,) * 2, line, line, (line,) * 3)


def test_sizes():
    costs = make_costs(operations=5, widths=4)
    assert (costs.num_scales, costs.num_operations, costs.num_widths) == (3, 5, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"down": (np.ones((5, 4, 4)),)}, r"s - 1 arrays `down`.*Received: 3, 1, 3"),
        ({"first_keep": np.ones(5)}, r"first_keep.shape=\(5,\)"),
        ({"first_down": np.ones((5, 3))}, r"first_down.shape=\(5, 3\)"),
        ({"keep": (np.ones((5, 4, 4)),) * 2 + (np.ones((5, 4)),)}, r"keep\[2\].shape=\(5, 4\)"),
        ({"down": (np.ones((5, 4, 4)), np.ones((5, 4, 3)))}, r"down\[1\].shape=\(5, 4, 3\)"),
        ({"last_keep": (np.ones((4, 5)),) * 3}, r"last_keep\[0\].shape=\(4, 5\)"),
        ({"stem_ms": -1.0}, "stem_ms"),
        ({"first_down": np.full((5, 4), np.nan)}, "first_down"),
    ],
)
def test_costs_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(make_costs(), **changes)
