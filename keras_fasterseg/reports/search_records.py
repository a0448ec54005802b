"""Conversion of a search's epoch records into the data of pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_fasterseg.spaces.roles import STUDENT, TEACHER
from keras_fasterseg.visualization.search_curves import SearchCurves
from keras_fasterseg.visualization.trade_off import TradeOff

Record = Mapping[str, Any]

_CHOICES_LEFT = "choices_left_"


def search_curves(records: Sequence[Record]) -> SearchCurves:
    """Returns the curves of a search.

    Raises:
        KeyError: A record lacks a field.
        IndexError: `records` is empty.
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
        noise_entropies={
            role: {
                family: [each[role].get("noise_entropy", {}).get(family) for each in records]
                for family in records[0][role]["entropy"]
            }
            for role in (STUDENT, TEACHER)
            if role in records[0]
        },
        choices_left={
            name.removeprefix(_CHOICES_LEFT): [each.get(name) for each in records]
            for name in records[-1]
            if name.startswith(_CHOICES_LEFT)
        },
    )


def candidates(records: Sequence[Record]) -> dict[str, list[TradeOff]]:
    """Returns the student's candidates of all epochs, except those without an mIoU."""
    return {
        _name(prediction): [
            point
            for point in (_trade_off(record, prediction) for record in records)
            if point is not None
        ]
        for prediction in records[-1][STUDENT]["fps_predicted"]
    }


def scored_networks(scored: Sequence[Record]) -> dict[str, TradeOff]:
    """Returns the networks of `candidates.json` by their ids, except those without an mIoU."""
    return {
        each["candidate"]["genotype"]["id"]: TradeOff(
            1000.0 / each["candidate"]["latency_ms"], each["candidate"]["miou"]
        )
        for each in scored
        if each["candidate"]["miou"] is not None
    }


def chosen(records: Sequence[Record]) -> TradeOff | None:
    """Returns the candidate chosen in the last epoch; None if it has no mIoU."""
    return _trade_off(records[-1], chosen_prediction(records[-1][STUDENT]))


def chosen_prediction(record: Record) -> str:
    """Returns the name of the prediction that scores the network chosen for a role."""
    # Records of earlier versions name only the branches.
    earlier = "_".join(["scale", *map(str, sorted(record.get("branches", ())))])
    return record.get("prediction", earlier)


def band(records: Sequence[Record]) -> tuple[float, float]:
    """Returns the band of frame rates of the last epoch."""
    low, high = records[-1]["fps_band"]
    return low, high


def _trade_off(record: Record, prediction: str) -> TradeOff | None:
    student = record[STUDENT]
    # Earlier versions scored the supernet instead of networks.
    miou = student.get("inherited_miou", student.get("supernet_miou"))[prediction]
    fps = student["fps_predicted"][prediction]
    return None if miou is None else TradeOff(fps, miou)


def _name(prediction: str) -> str:
    """Returns `branches 1/8, 1/32` for `scale_8_32`, for example; keeps other names."""
    kind, *scales = prediction.split("_")
    if kind != "scale" or not all(map(str.isdecimal, scales)):
        return prediction
    return "branches " + ", ".join(f"1/{scale}" for scale in scales)
