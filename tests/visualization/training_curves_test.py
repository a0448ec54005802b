"""The curves of trainings, read back from the figure."""

import pytest

from keras_fasterseg.visualization.training_curves import TrainingCurve, training_figure


def test_losses_of_every_epoch_and_mious_where_there_are_some():
    curves = [
        TrainingCurve("teacher", [3.0, 2.0, 1.0], [(3, 0.5)]),
        TrainingCurve("student", [4.0, 3.0], [(1, 0.1), (2, 0.25)]),
    ]
    figure = training_figure(curves, "a")
    losses, mious = figure.axes
    assert [list(line.get_ydata()) for line in losses.lines] == [[3, 2, 1], [4, 3]]
    assert [list(line.get_xdata()) for line in losses.lines] == [[1, 2, 3], [1, 2]]
    found = [(list(line.get_xdata()), list(line.get_ydata())) for line in mious.lines]
    assert found == [([3], [50.0]), ([1, 2], [10.0, 25.0])]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["teacher", "student"]
    styles = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in losses.lines}
    assert len(styles) == 2


def test_a_training_that_was_not_evaluated_yet():
    _, mious = training_figure([TrainingCurve("student", [4.0], [])], "a").axes
    assert [list(line.get_xdata()) for line in mious.lines] == [[]]


def test_more_than_can_be_told_apart():
    with pytest.raises(ValueError, match=r"at most 4 trainings\. Received: 5"):
        training_figure([TrainingCurve("a", [1.0], [])] * 5, "a")
