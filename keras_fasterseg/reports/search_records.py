"""The records of a search's epochs as what pictures are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_fasterseg.search.candidates import BRANCHES_BY_PREDICTION
from keras_fasterseg.spaces.fasterseg.choices import STUDENT, TEACHER
from keras_fasterseg.visualization.search_curves import SearchCurves
from keras_fasterseg.visualization.trade_off import TradeOff

Record = Mapping[str, Any]

_FAMILIES = ("alpha", "beta", "gamma")


def search_curves(records: Sequence[Record]) -> SearchCurves:
    """The series of a search.

    Raises:
        KeyError: A record lacks a field.
        IndexError: There are no records.
    """
    return SearchCurves(
        fps={
            _name(prediction): [each[STUDENT]["fps_predicted"][prediction] for each in records]
            for prediction in BRANCHES_BY_PREDICTION
        },
        band=band(records),
        penalty_weights=[each.get("penalty_weight") for each in records],
        entropies={
            role: {
                family: [each[role]["entropy"][family] for each in records]
                for family in _FAMILIES
                if family in records[0][role]["entropy"]
            }
            for role in (STUDENT, TEACHER)
        },
    )


def candidates(records: Sequence[Record]) -> dict[str, list[TradeOff]]:
    """The student's candidates of all epochs; those without an mIoU are left out."""
    return {
        _name(prediction): [
            point
            for point in (_trade_off(record, prediction) for record in records)
            if point is not None
        ]
        for prediction in BRANCHES_BY_PREDICTION
    }


def chosen(records: Sequence[Record]) -> TradeOff | None:
    """The candidate that the last epoch took; None if it has no mIoU."""
    scales = set(records[-1][STUDENT]["branches"])
    (prediction,) = (n for n, each in BRANCHES_BY_PREDICTION.items() if set(each) == scales)
    return _trade_off(records[-1], prediction)


def band(records: Sequence[Record]) -> tuple[float, float]:
    """The frame rates between which the last epoch steered."""
    low, high = records[-1]["fps_band"]
    return low, high


def _trade_off(record: Record, prediction: str) -> TradeOff | None:
    student = record[STUDENT]
    miou = student["supernet_miou"][prediction]
    fps = student["fps_predicted"][prediction]
    return None if miou is None else TradeOff(fps, miou)


def _name(prediction: str) -> str:
    """Such as `branches 1/8, 1/32`."""
    scales = sorted(BRANCHES_BY_PREDICTION[prediction])
    return "branches " + ", ".join(f"1/{scale}" for scale in scales)
