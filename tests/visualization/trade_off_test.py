"""Accuracy against frame rate: the front by closed forms, the pictures from their figures."""

import itertools

import numpy as np
import pytest

from keras_fasterseg.visualization.trade_off import (
    TradeOff,
    candidates_figure,
    networks_figure,
    pareto_front,
)


def test_the_front():
    slow, middle, fast = TradeOff(1, 0.9), TradeOff(2, 0.8), TradeOff(3, 0.1)
    beaten = [TradeOff(1, 0.8), TradeOff(2, 0.5), TradeOff(0.5, 0.9), TradeOff(3, 0.05)]
    for points in itertools.permutations([slow, middle, fast, middle, *beaten[:3]]):
        assert pareto_front(points) == [slow, middle, fast]
    assert pareto_front(beaten) == [
        TradeOff(0.5, 0.9),
        TradeOff(1, 0.8),
        TradeOff(2, 0.5),
        beaten[3],
    ]
    assert pareto_front([]) == []


def test_the_front_is_what_no_other_beats():
    """By the definition, pair by pair."""
    generator = np.random.default_rng(0)
    points = [TradeOff(*pair) for pair in generator.integers(0, 12, (60, 2)).tolist()]
    front = pareto_front(points)

    def beats(one, other):
        return one.fps >= other.fps and one.miou >= other.miou and one != other

    assert set(front) == {
        point for point in points if not any(beats(other, point) for other in points)
    }
    assert [point.fps for point in front] == sorted({point.fps for point in front})


def test_candidates_their_front_and_the_chosen():
    candidates = {
        "first": [TradeOff(10, 0.2), TradeOff(20, 0.3)],
        "second": [TradeOff(15, 0.1), TradeOff(30, 0.05)],
    }
    figure = candidates_figure(candidates, TradeOff(15, 0.1), (12, 18), "a")
    (axes,) = figure.axes
    first, second, star = (each.get_offsets().tolist() for each in axes.collections)
    assert first == [[10, 20], [20, 30]]
    assert second == [[15, 10], [30, 5]]
    assert star == [[15, 10]]
    (front,) = axes.lines
    assert list(front.get_xdata()) == [20, 30]
    assert list(front.get_ydata()) == [30, 5]
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (12, pytest.approx(18))


def test_a_search_without_scores():
    (axes,) = candidates_figure({"first": [], "second": []}, None, (1, 2), "a").axes
    assert [len(each.get_offsets()) for each in axes.collections] == [0, 0]


def test_networks_are_told_apart_by_shape_and_name():
    networks = [("teacher", TradeOff(10, 0.5)), ("student", TradeOff(20, 0.4))]
    figure = networks_figure(networks, "a", band=(12, 18))
    (axes,) = figure.axes
    assert [each.get_offsets().tolist() for each in axes.collections] == [[[10, 50]], [[20, 40]]]
    outlines = [each.get_paths()[0].vertices.tolist() for each in axes.collections]
    assert outlines[0] != outlines[1]
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["band, 12 to 18", "teacher: 50.00 %, 10.0 FPS", "student: 40.00 %, 20.0 FPS"]
    assert not networks_figure(networks, "a").axes[0].patches
