"""From records, written by hand, to what is drawn."""

import pytest

from keras_fasterseg.reports import search_records
from keras_fasterseg.visualization.trade_off import TradeOff


def record(fps, mious, branches=(32, 8), weight=0.5):
    return {
        "fps_band": [10.0, 20.0],
        "penalty_weight": weight,
        "teacher": {"entropy": {"alpha": 0.75, "beta": 0.5}},
        "student": {
            "entropy": {"alpha": 1.0, "beta": 0.25, "gamma": 0.125},
            "branches": list(branches),
            "fps_predicted": dict(zip(("scale_8_32", "scale_16_32"), fps, strict=True)),
            "supernet_miou": dict(zip(("scale_8_32", "scale_16_32"), mious, strict=True)),
        },
    }


RECORDS = [record((11.0, 9.0), (0.25, None)), record((12.0, 8.0), (0.5, 0.75), (16, 32), 1.0)]


def test_series():
    curves = search_records.search_curves(RECORDS)
    assert curves.fps == {"branches 1/8, 1/32": [11.0, 12.0], "branches 1/16, 1/32": [9.0, 8.0]}
    assert curves.band == (10.0, 20.0)
    assert curves.penalty_weights == [0.5, 1.0]
    assert curves.entropies == {
        "student": {"alpha": [1.0, 1.0], "beta": [0.25, 0.25], "gamma": [0.125, 0.125]},
        "teacher": {"alpha": [0.75, 0.75], "beta": [0.5, 0.5]},
    }


def test_choices_left_by_family():
    assert search_records.search_curves(RECORDS).choices_left == {}
    pruned = [{**RECORDS[0]}, {**RECORDS[1], "choices_left_alpha": 7.0}]
    assert search_records.search_curves(pruned).choices_left == {"alpha": [None, 7.0]}


def test_candidates_with_a_score_and_the_chosen_one():
    assert search_records.candidates(RECORDS) == {
        "branches 1/8, 1/32": [TradeOff(11.0, 0.25), TradeOff(12.0, 0.5)],
        "branches 1/16, 1/32": [TradeOff(8.0, 0.75)],
    }
    assert search_records.chosen(RECORDS) == TradeOff(8.0, 0.75)
    assert search_records.chosen(RECORDS[:1]) == TradeOff(11.0, 0.25)
    assert search_records.chosen([record((1.0, 2.0), (None, None))]) is None


def test_a_record_that_lacks_a_field():
    with pytest.raises(KeyError, match="fps_predicted"):
        search_records.search_curves([{"student": {}}])
