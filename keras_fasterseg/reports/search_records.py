"""The records of a search's epochs as what pictures are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.visualization.search_curves import SearchCurves
from keras_fasterseg.visualization.trade_off import TradeOff

Record = Mapping[str, Any]


def search_curves(records: Sequence[Record]) -> SearchCurves:
    """The series of a search.

    Raises:
        KeyError: A record lacks a field.
        IndexError: There are no records.
    """
    return SearchCurves(
        fps={
            _name(prediction): [each[STUDENT]["fps_predicted"][prediction] for each in records]
            for prediction in records[-1][STUDENT]["fps_predicted"]
        },
        band=band(records),
        penalty_weights=[each.get("penalty_weight") for each in records],
        entropies={
            role: {
                family: [each[role]["entropy"][family] for each in records]
                for family in records[0][role]["entropy"]
            }
            for role in (STUDENT, TEACHER)
            if role in records[0]
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
        for prediction in records[-1][STUDENT]["fps_predicted"]
    }


def chosen(records: Sequence[Record]) -> TradeOff | None:
    """The candidate that the last epoch took; None if it has no mIoU."""
    return _trade_off(records[-1], chosen_prediction(records[-1][STUDENT]))


def chosen_prediction(record: Record) -> str:
    """The prediction that scores the network which an epoch took for a role."""
    # Records of earlier versions name the branches alone.
    earlier = "_".join(["scale", *map(str, sorted(record.get("branches", ())))])
    return record.get("prediction", earlier)


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
    """Such as `branches 1/8, 1/32` for `scale_8_32`; other names are shown as they are."""
    kind, *scales = prediction.split("_")
    if kind != "scale" or not all(map(str.isdecimal, scales)):
        return prediction
    return "branches " + ", ".join(f"1/{scale}" for scale in scales)
