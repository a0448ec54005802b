"""The curves of a search, read back from the figure."""

import dataclasses

import numpy as np
import pytest

from keras_fasterseg.visualization.card import save_figure
from keras_fasterseg.visualization.search_curves import SearchCurves, search_figure
from tests.visualization.svg_text import texts

CURVES = SearchCurves(
    fps={"first": [10.0, 20.0, 30.0], "second": [5.0, None, 25.0]},
    band=(12.0, 18.0),
    penalty_weights=[0.5, 1.0, 2.0],
    entropies={
        "student": {"alpha": [1.0, 0.9, 0.8], "gamma": [1.0, 0.7, 0.4]},
        "teacher": {"alpha": [1.0, 0.95, 0.85]},
    },
)


def lines(axes):
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines
    }


def test_every_series_over_its_epochs():
    fps, weight, entropy = search_figure(CURVES, "a").axes
    assert lines(fps) == {"first": ([1, 2, 3], [10, 20, 30]), "second": ([1, 3], [5, 25])}
    (values,) = lines(weight).values()
    assert values == ([1, 2, 3], [0.5, 1, 2])
    assert weight.get_yscale() == "log"
    assert lines(entropy) == {
        "student: operators (alpha)": ([1, 2, 3], [1, 0.9, 0.8]),
        "student: widths (gamma)": ([1, 2, 3], [1, 0.7, 0.4]),
        "teacher: operators (alpha)": ([1, 2, 3], [1, 0.95, 0.85]),
    }
    # Of one family one colour; the roles differ by their lines.
    by_name = {line.get_label(): line for line in entropy.lines}
    student, teacher = (by_name[f"{role}: operators (alpha)"] for role in ("student", "teacher"))
    assert student.get_color() == teacher.get_color()
    assert student.get_linestyle() != teacher.get_linestyle()


def test_the_band_is_shaded_between_its_ends():
    (band,) = search_figure(CURVES, "a").axes[0].patches
    assert (band.get_y(), band.get_y() + band.get_height()) == (12.0, pytest.approx(18.0))


def test_the_text_of_the_picture(tmp_path):
    path = tmp_path / "search.svg"
    save_figure(search_figure(CURVES, "run: the search"), path)
    expected = {"run: the search", "first", "second", "band, 12 to 18", "predicted FPS", "epoch"}
    assert expected <= set(texts(path))


def test_choices_left_are_drawn_below_in_the_colours_of_their_families():
    curves = dataclasses.replace(CURVES, choices_left={"alpha": [100, 50, 10], "gamma": [9, 9, 3]})
    entropy, left = search_figure(curves, "a").axes[2:]
    assert lines(left) == {
        "operators (alpha)": ([1, 2, 3], [100, 50, 10]),
        "widths (gamma)": ([1, 2, 3], [9, 9, 3]),
    }
    assert left.get_yscale() == "log"
    colors = {
        line.get_label().removeprefix("student: "): line.get_color() for line in entropy.lines
    }
    assert all(line.get_color() == colors[line.get_label()] for line in left.lines)


def test_four_families_have_four_colours():
    families = {name: [1.0] for name in ("depth", "operation", "middle", "last")}
    curves = SearchCurves({"first": [1.0]}, (0.5, 2.0), [None], {"student": families})
    entropy = search_figure(curves, "a").axes[2]
    assert len({line.get_color() for line in entropy.lines}) == 4


def test_one_epoch_without_lambda():
    curves = SearchCurves({"first": [10.0]}, (5.0, 6.0), [None], {"student": {"alpha": [1.0]}})
    fps, weight, _ = search_figure(curves, "a").axes
    assert lines(fps) == {"first": ([1], [10.0])}
    assert not weight.lines
    assert np.isfinite(weight.get_ylim()).all()
