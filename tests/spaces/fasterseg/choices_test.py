import numpy as np
import pytest
import tensorflow as tf

from keras_fasterseg.spaces.fasterseg.choices import (
    Choices,
    one_hot_widths,
    uniform_widths,
    width_shapes,
)
from keras_fasterseg.spaces.fasterseg.settings import WIDTH_MULTIPLIERS
from keras_fasterseg.spaces.roles import STUDENT, TEACHER


def make_choices(widths, role=STUDENT, value=1.0):
    alphas = tuple(tf.fill((4 - j, 5), value) for j in range(3))
    betas = tuple(tf.fill((2 - j, 2), value) for j in range(2))
    return Choices(alphas, betas, widths, role)


def test_width_multipliers_are_twelfths():
    assert [round(12 * width, 9) for width in WIDTH_MULTIPLIERS] == [4, 6, 8, 10, 12]


@pytest.mark.parametrize(("num_layers", "shapes"), [(4, (3, 3, 2)), (16, (15, 15, 14))])
def test_width_shapes(num_layers, shapes):
    assert width_shapes(num_layers) == shapes


def test_uniform_widths():
    widths = uniform_widths(1, num_layers=4, num_widths=3)
    assert [w.shape for w in widths] == [(3, 3), (3, 3), (2, 3)]
    for rows in widths:
        np.testing.assert_array_equal(rows, [[0, 1, 0]] * len(rows))


def test_one_hot_widths():
    widths = one_hot_widths(([0, 2], [1], [2]), num_widths=3)
    np.testing.assert_array_equal(widths[0], [[1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(widths[1], [[0, 1, 0]])
    np.testing.assert_array_equal(widths[2], [[0, 0, 1]])
    assert all(rows.dtype == "float32" for rows in widths)


@pytest.mark.parametrize("widths", [3, uniform_widths(0, 4, 5)])
def test_a_mapped_structure_is_choices_again(widths):
    choices = make_choices(widths)
    doubled = tf.nest.map_structure(lambda tensor: 2 * tensor, choices)
    assert isinstance(doubled, Choices)
    assert doubled.role == STUDENT
    np.testing.assert_array_equal(doubled.alphas[2], np.full((2, 5), 2.0))
    np.testing.assert_array_equal(doubled.betas[0], np.full((2, 2), 2.0))
    if isinstance(widths, int):
        assert doubled.widths == 3
    else:
        np.testing.assert_array_equal(doubled.widths[0], 2 * widths[0])


def test_a_traced_function_is_traced_anew_for_constants_only():
    traces = []

    @tf.function
    def total(choices):
        traces.append((choices.role, choices.widths if isinstance(choices.widths, int) else None))
        return tf.reduce_sum(choices.alphas[0]) + tf.reduce_sum(choices.betas[1])

    for value in (1.0, 2.0):
        assert total(make_choices(0, value=value)) == 22 * value
    total(make_choices(1))
    total(make_choices(1, role=TEACHER))
    for index in (0, 4):
        total(make_choices(uniform_widths(index, 4, 5)))
    assert traces == [(STUDENT, 0), (STUDENT, 1), (TEACHER, 1), (STUDENT, None)]
