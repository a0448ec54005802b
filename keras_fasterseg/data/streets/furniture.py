"""Street furniture: lamps, traffic lights, traffic signs and bins."""

import numpy as np

from keras_fasterseg.data.streets.canvas import IDS, Canvas, Color, Point, jitter, pick, shade


def draw_lamp(canvas: Canvas, rng: np.random.Generator, right: float, ahead: float) -> None:
    """A street lamp: a tall pole whose arm reaches over the road."""
    height = rng.uniform(4.5, 8)
    color = _metal(rng)
    top = _pole(canvas, right, ahead, height, 0.16, color)
    scale = canvas.camera.focal / ahead
    arm = (top[0] - np.sign(right) * rng.uniform(0.3, 1.6) * scale, top[1] - 0.2 * scale)
    canvas.line([top, arm], 0.1 * scale, IDS["pole"], color)
    canvas.ellipse(arm, (0.3 * scale, 0.12 * scale), IDS["pole"], shade(color, 1.2))


def draw_traffic_light(
    canvas: Canvas, rng: np.random.Generator, right: float, ahead: float
) -> None:
    """A traffic light at its pole or hung over the road."""
    height = rng.uniform(2.6, 4.5)
    color = _metal(rng)
    column, row = _pole(canvas, right, ahead, height, 0.15, color)
    scale = canvas.camera.focal / ahead
    if rng.random() < 0.35:
        hung = (column - np.sign(right) * rng.uniform(1.5, 4) * scale, row)
        canvas.line([(column, row), hung], 0.13 * scale, IDS["pole"], color)
        column = hung[0]
    half, tall = 0.2 * scale, 0.52 * scale
    case = jitter(rng, pick(rng, (30, 32, 30), (52, 54, 50), (150, 130, 40)), 10)
    _panel(canvas, (column, row), half, tall, IDS["traffic light"], case)
    lit = int(rng.integers(3))
    lamps = ((235, 50, 40), (245, 190, 50), (70, 230, 130))
    for number, lamp in enumerate(lamps):
        center = (column, row + (number - 1) * 0.32 * scale)
        color = lamp if number == lit else shade(lamp, 0.22)
        canvas.ellipse(center, (0.12 * scale, 0.12 * scale), None, color)


def draw_traffic_sign(canvas: Canvas, rng: np.random.Generator, right: float, ahead: float) -> None:
    """A sign at its pole: round, triangular, square or a wide board, or one seen from behind."""
    column, row = _pole(canvas, right, ahead, rng.uniform(2.0, 3.2), 0.1, _metal(rng))
    raw_id = IDS["traffic sign"]
    size = rng.uniform(0.32, 0.48) * canvas.camera.focal / ahead
    rim, face = pick(
        rng,
        ((200, 40, 40), (235, 232, 225)),
        ((40, 80, 170), (60, 100, 195)),
        ((235, 232, 225), (240, 190, 50)),
        ((120, 122, 124), (138, 140, 142)),
    )
    rim, face = jitter(rng, rim, 18), jitter(rng, face, 14)
    shape = int(rng.integers(4))
    if shape == 0:
        canvas.ellipse((column, row), (size, size), raw_id, rim)
        canvas.ellipse((column, row), (0.7 * size, 0.7 * size), None, face)
    elif shape == 1:
        upward = pick(rng, -1.0, 1.0)
        for part, of_id, color in ((1.15, raw_id, rim), (0.65, None, face)):
            reach = part * size
            corners = [
                (column, row + upward * reach),
                (column - reach, row - 0.75 * upward * reach),
                (column + reach, row - 0.75 * upward * reach),
            ]
            canvas.polygon(corners, of_id, color)
    else:
        wide = 1.0 if shape == 2 else 2.2
        _panel(canvas, (column, row), wide * size, size, raw_id, rim)
        _panel(canvas, (column, row), 0.82 * wide * size, 0.8 * size, None, face)
        mark = ((column, row), (0.4 * wide * size, 0.25 * size))
        canvas.ellipse(*mark, None, shade(face, 0.5))


def draw_bin(canvas: Canvas, rng: np.random.Generator, right: float, ahead: float) -> None:
    """A litter bin, which Cityscapes leaves out as "static"."""
    canvas.distance = ahead
    color = jitter(rng, pick(rng, (70, 76, 70), (60, 70, 92), (130, 62, 44)), 20)
    scale = canvas.camera.focal / ahead
    column, row = canvas.camera.project((right, 0.5, ahead))
    _panel(canvas, (column, row), 0.28 * scale, 0.5 * scale, IDS["static"], color)
    lid = (column, row - 0.5 * scale)
    canvas.ellipse(lid, (0.3 * scale, 0.08 * scale), IDS["static"], shade(color, 0.7))


def _pole(
    canvas: Canvas, right: float, ahead: float, height: float, thickness: float, color: Color
) -> Point:
    """Draws an upright pole and returns the pixel of its top."""
    canvas.distance = ahead
    foot = canvas.camera.project((right, 0, ahead))
    top = canvas.camera.project((right, height, ahead))
    width = thickness * canvas.camera.focal / ahead
    canvas.line([foot, top], width, IDS["pole"], color)
    return top


def _panel(
    canvas: Canvas, center: Point, half: float, tall: float, raw_id: int | None, color: Color
) -> None:
    (column, row) = center
    corners = [(column - half, row - tall), (column + half, row - tall)]
    corners += [(column + half, row + tall), (column - half, row + tall)]
    canvas.polygon(corners, raw_id, color)


def _metal(rng: np.random.Generator) -> Color:
    return jitter(rng, pick(rng, (92, 96, 98), (140, 142, 142), (56, 62, 58)), 16)
