"""The tables of searches that prune, of files written by hand."""

import pytest

from keras_fasterseg.files import write_json
from tests.tools.maintenance.markdown_rows import rows
from tools.maintenance.shrinking_table import shrinking_markdown


def make_search(folder, left):
    records = [
        {
            "fps_band": [40.0, 50.0],
            "penalty_weight": 2.0,
            "choices_left_depth": float(depth),
            "choices_left_width": float(width),
            "log10_networks_left": networks,
            "student": {
                "entropy": {"depth": 0.5, "width": 0.25},
                "fps_predicted": {"prediction": 44.44},
            },
        }
        for depth, width, networks in left
    ]
    write_json(folder / "search" / "search.json", records)
    gap = {"supernet_miou": 0.4, "one_hot_miou": 0.375}
    write_json(folder / "search" / "gap.json", {"student": gap, "teacher": gap})
    return folder


def test_two_searches(tmp_path):
    one = make_search(tmp_path / "one", [(8, 90, 12.5), (2, 30, 3.25)])
    other = make_search(tmp_path / "other", [(8, 80, 11.0)])
    text = shrinking_markdown([one, other])
    found = rows(text)
    assert [
        "one",
        "40 to 50",
        "44.4",
        "10^3.2",
        "depth 0.50, width 0.25",
        "40.00",
        "37.50",
    ] in found
    assert ["1", "8, 90", "0.50, 0.25", "44.4", "2", "8, 80", "0.50, 0.25", "44.4", "2"] in found
    assert ["2", "2, 30", "0.50, 0.25", "44.4", "2", "", "", "", ""] in found


def test_a_search_that_does_not_prune(tmp_path):
    folder = make_search(tmp_path / "one", [(8, 90, 12.5)])
    write_json(
        folder / "search" / "search.json",
        [
            {
                "fps_band": [1, 2],
                "penalty_weight": 1.0,
                "student": {"entropy": {}, "fps_predicted": {}},
            }
        ],
    )
    with pytest.raises(KeyError, match="log10_networks_left"):
        shrinking_markdown([folder])
