"""Moving objects: reflection by hand, areas of circles, and the order of drawing."""

import math

import numpy as np
import pytest

from keras_fasterseg.video_objects.moving_object import (
    MovingObject,
    random_texture,
    reflected,
    smooth_noise,
)

SIZE = (80, 120)


def circle(color: tuple[int, int, int] = (200, 100, 50), **changes) -> MovingObject:
    """An even circle at rest in the middle of a frame."""
    attributes = {
        "texture": np.broadcast_to(np.array(color, np.float32), (96, 96, 3)).copy(),
        "radius": 20.0,
        "stretch": 1.0,
        "amplitudes": np.zeros(4),
        "phases": np.zeros(4),
        "phase_speeds": np.zeros(4),
        "start": (40.0, 60.0),
        "velocity": (0.0, 0.0),
        "angle": 0.0,
        "turn": 0.0,
        "growth": 0.0,
        "growth_speed": 0.0,
        "gains": np.ones(3),
        **changes,
    }
    return MovingObject(**attributes)


def drawn(*objects: MovingObject, frame: int = 0, last: int = 10) -> tuple[np.ndarray, np.ndarray]:
    image, ids = np.full((*SIZE, 3), 7, np.float32), np.zeros(SIZE, np.uint8)
    for number, each in enumerate(objects, 1):
        each.draw(image, ids, number, frame, last)
    return image, ids


def disk(row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    return (rows - row) ** 2 + (columns - column) ** 2 < radius**2


def middle(ids: np.ndarray) -> np.ndarray:
    return np.argwhere(ids).mean(axis=0) + 0.5


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2, 2), (5, 5), (3.5, 3.5), (6, 4), (8, 2), (9, 3), (1, 3), (-1, 5), (-2, 4), (14.5, 2.5)],
)
def test_reflection_between_two_and_five(value, expected):
    assert reflected(value, 2, 5) == pytest.approx(expected)


@pytest.mark.parametrize("radius", [8.0, 20.0, 30.5])
def test_mask_of_an_even_circle(radius):
    _, ids = drawn(circle(radius=radius))
    np.testing.assert_array_equal(ids == 1, disk(40, 60, radius))
    # Gauss's circle problem: the error is at most the pixels at the edge.
    assert abs((ids == 1).sum() - math.pi * radius**2) < 2 * math.pi * radius * 0.2


def test_stretch_multiplies_the_area():
    _, ids = drawn(circle(stretch=1.5))
    assert (ids == 1).sum() == pytest.approx(math.pi * 20**2 * 1.5, rel=0.01)
    rows, columns = (np.ptp(each) + 1 for each in np.nonzero(ids))
    assert (rows, columns) == (40, 60)


def test_a_quarter_turn_exchanges_the_axes():
    _, ids = drawn(circle(stretch=1.5, turn=math.pi / 2 / 5), frame=5)
    rows, columns = (np.ptp(each) + 1 for each in np.nonzero(ids))
    assert abs(rows - 60) <= 1
    assert abs(columns - 40) <= 1


def test_second_harmonic_makes_an_oval():
    _, ids = drawn(circle(amplitudes=np.array([0.2, 0, 0, 0])))
    rows, columns = (np.ptp(each) + 1 for each in np.nonzero(ids))
    # The radius is 20 * (1 + .2) across and 20 * (1 - .2) down.
    assert (rows, columns) == (32, 48)


def test_moves_by_its_velocity_and_turns_back_at_the_margin():
    thing = circle(radius=6.0, velocity=(1.0, 4.0))
    np.testing.assert_allclose(middle(drawn(thing, frame=3)[1]), (43, 72), atol=0.1)
    # 60 + 4 * 15 = 120 is 12 beyond nine tenths of the width.
    np.testing.assert_allclose(middle(drawn(thing, frame=15)[1]), (55, 96), atol=0.1)


def test_growth_changes_the_radius():
    thing = circle(growth=0.5, growth_speed=math.pi / 2)
    np.testing.assert_array_equal(drawn(thing, frame=1)[1] == 1, disk(40, 60, 30))
    np.testing.assert_array_equal(drawn(thing, frame=3)[1] == 1, disk(40, 60, 10))


def test_the_last_frame_reaches_the_gains():
    color = (100, 150, 50)
    thing = circle(color, gains=np.array([1.2, 0.5, 1.0]))
    plain, _ = drawn(circle(color))
    for frame, share in ((0, 0), (5, 0.5), (10, 1)):
        image, ids = drawn(thing, frame=frame)
        inner = disk(40, 60, 18)
        expected = plain[inner] * (1 + share * (thing.gains - 1))
        assert (ids[inner] == 1).all()
        np.testing.assert_allclose(image[inner], expected, rtol=1e-4)


def test_light_comes_from_above():
    image, _ = drawn(circle())
    assert (np.diff(image[25:55, 60, 0]) < 0).all()


def test_a_later_object_hides_an_earlier_one():
    first, second = circle(), circle((20, 220, 220), start=(40.0, 75.0))
    image, ids = drawn(first, second)
    front, back = disk(40, 75, 20), disk(40, 60, 20)
    np.testing.assert_array_equal(ids == 2, front)
    np.testing.assert_array_equal(ids == 1, back & ~front)
    alone, _ = drawn(second)
    inner = disk(40, 75, 19)
    np.testing.assert_allclose(image[inner], alone[inner], atol=1e-3)


def test_only_covered_pixels_change():
    image, ids = drawn(circle())
    outside = ~disk(40, 60, 21)
    np.testing.assert_array_equal(image[outside], 7)
    assert not ids[outside].any()


def test_an_object_at_the_edge_is_cut_off():
    image, ids = drawn(circle(start=(8.0, 12.0), radius=20.0))
    np.testing.assert_array_equal(ids == 1, disk(8, 12, 20))
    np.testing.assert_array_equal(image[~disk(8, 12, 21)], 7)


@pytest.mark.parametrize("seed", range(10))
def test_random_objects_lie_in_the_frame(seed):
    rng = np.random.default_rng(seed)
    thing = MovingObject.drawn_by(rng, SIZE)
    assert np.abs(thing.amplitudes).sum() <= 0.35
    for frame in (0, 7, 200):
        image, ids = drawn(thing, frame=frame, last=200)
        assert (ids == 1).any()
        assert image.min() >= 0
        assert image.max() <= 255


def test_textures_and_noise_depend_on_the_seed_only():
    one, same, other = (random_texture(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (96, 96, 3)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_noise_has_unit_variance():
    assert smooth_noise(np.random.default_rng(0), SIZE, 4.0).std() == pytest.approx(1, abs=1e-3)
