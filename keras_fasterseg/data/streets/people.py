"""People: on foot, and on bicycles and motorcycles."""

import numpy as np

from keras_fasterseg.data.streets.canvas import (
    IDS,
    Canvas,
    Color,
    Point,
    jitter,
    paint_color,
    pick,
    shade,
)


def draw_person(canvas: Canvas, rng: np.random.Generator, right: float, ahead: float) -> None:
    """Somebody who stands or walks at a place in metres."""
    canvas.distance = ahead
    height = rng.uniform(1.5, 1.92) if rng.random() < 0.85 else rng.uniform(1.0, 1.4)
    scale = canvas.camera.focal / ahead
    column, foot = canvas.camera.project((right, 0, ahead))
    stride = rng.uniform(0.02, 0.22) * scale
    _ground_shadow(canvas, right, ahead, 0.3)
    _figure(
        canvas,
        rng,
        IDS["person"],
        hip=(column, foot - 0.48 * height * scale),
        feet=[(column - stride, foot), (column + stride, foot)],
        lean=0.0,
        unit=height * scale,
    )


def draw_two_wheeler(
    canvas: Canvas,
    rng: np.random.Generator,
    right: float,
    ahead: float,
    *,
    kind: str,
    ridden: bool,
) -> None:
    """A bicycle or motorcycle, seen from the side or along the street.

    Args:
        canvas: Drawn on.
        rng: Source of chance.
        right: Metres right of the camera.
        ahead: Metres ahead of the camera.
        kind: "bicycle" or "motorcycle".
        ridden: Whether a rider sits on it.
    """
    canvas.distance = ahead
    _ground_shadow(canvas, right, ahead, 0.5)
    scale = canvas.camera.focal / ahead
    foot = canvas.camera.project((right, 0, ahead))
    facing = pick(rng, -1.0, 1.0)
    if rng.random() < 0.55:
        _draw_from_side(canvas, rng, foot, scale, facing, kind)
        lean, reach = 0.16 * facing, 0.25 * facing
    else:
        _draw_along(canvas, rng, foot, scale, kind)
        lean, reach = 0.0, 0.0
    if not ridden:
        return
    seat = 0.92 if kind == "bicycle" else 0.8
    column, row = foot
    pedal = row - 0.25 * scale
    _figure(
        canvas,
        rng,
        IDS["rider"],
        hip=(column - 0.15 * facing * abs(lean) * scale, row - seat * scale),
        feet=[
            (column + (reach - 0.08) * scale, pedal),
            (column + (reach + 0.1) * scale, pedal - 0.15 * scale),
        ],
        lean=lean,
        unit=1.72 * scale,
        helmet=kind == "motorcycle" or rng.random() < 0.5,
    )


def _figure(
    canvas: Canvas,
    rng: np.random.Generator,
    raw_id: int,
    *,
    hip: Point,
    feet: list[Point],
    lean: float,
    unit: float,
    helmet: bool = False,
) -> None:
    """Legs, trunk, arms and head; `unit` is the body's height in pixels."""
    cloth, trousers = paint_color(rng), jitter(rng, pick(rng, (40, 44, 62), (58, 54, 50)), 24)
    skin = jitter(rng, pick(rng, (205, 165, 140), (140, 100, 78), (90, 62, 48)), 14)
    column, row = hip
    shoulder = (column + lean * unit, row - 0.33 * unit)
    for side, foot in zip((-1, 1), feet, strict=True):
        thigh = (column + 0.04 * side * unit, row)
        knee = ((thigh[0] + foot[0]) / 2 + 0.02 * unit * np.sign(lean), (row + foot[1]) / 2)
        canvas.line([thigh, knee, foot], 0.085 * unit, raw_id, shade(trousers, 1 + 0.1 * side))
    half = 0.115 * unit
    trunk = [
        (shoulder[0] - half, shoulder[1]),
        (shoulder[0] + half, shoulder[1]),
        (column + 0.085 * unit, row + 0.03 * unit),
        (column - 0.085 * unit, row + 0.03 * unit),
    ]
    canvas.polygon(trunk, raw_id, cloth)
    for side in (-1, 1):
        top = (shoulder[0] + side * half, shoulder[1] + 0.03 * unit)
        swing = rng.uniform(-0.03, 0.1) * side * unit
        hand = (top[0] + swing + 1.1 * lean * unit, top[1] + 0.3 * unit)
        canvas.line([top, hand], 0.055 * unit, raw_id, shade(cloth, 0.85))
    head = (shoulder[0] + 0.3 * lean * unit, shoulder[1] - 0.1 * unit)
    canvas.ellipse(head, (0.058 * unit, 0.078 * unit), raw_id, skin)
    hair = paint_color(rng) if helmet else jitter(rng, (52, 40, 32), 28)
    canvas.ellipse((head[0], head[1] - 0.03 * unit), (0.06 * unit, 0.055 * unit), raw_id, hair)


def _draw_from_side(
    canvas: Canvas, rng, foot: Point, scale: float, facing: float, kind: str
) -> None:
    raw_id, color = IDS[kind], paint_color(rng)
    column, row = foot
    if kind == "bicycle":
        radius, base, thickness = 0.34 * scale, 0.52 * scale, 0.05 * scale
    else:
        radius, base, thickness = 0.31 * scale, 0.68 * scale, 0.13 * scale
    hubs = [(column - base * facing, row - radius), (column + base * facing, row - radius)]
    for hub in hubs:
        # Between the spokes the label says wheel, as in Cityscapes, and the image what is behind.
        filling = None if kind == "bicycle" else (70, 70, 74)
        canvas.ellipse(hub, (radius, radius), raw_id, filling)
        canvas.ring(hub, radius, thickness, (28, 28, 30))
    seat = (column - 0.16 * facing * scale, row - 0.92 * scale)
    grip = (column + 0.38 * facing * scale, row - 1.0 * scale)
    if kind == "bicycle":
        crank = (column - 0.05 * facing * scale, row - radius)
        for bar in ([hubs[0], seat, grip, crank, hubs[0]], [seat, crank], [hubs[1], grip]):
            canvas.line(bar, 0.05 * scale, raw_id, color)
        canvas.line([seat, (seat[0], seat[1] - 0.04 * scale)], 0.16 * scale, raw_id, (30, 28, 28))
        return
    tank = [
        (column - 0.75 * facing * scale, row - 0.72 * scale),
        (column - 0.1 * facing * scale, row - 0.78 * scale),
        (column + 0.3 * facing * scale, row - 0.95 * scale),
        (column + 0.45 * facing * scale, row - 0.6 * scale),
        (column + 0.25 * facing * scale, row - 0.25 * scale),
        (column - 0.3 * facing * scale, row - 0.25 * scale),
    ]
    canvas.polygon(tank, raw_id, color)
    engine = (column + 0.02 * scale, row - 0.38 * scale)
    canvas.ellipse(engine, (0.22 * scale, 0.16 * scale), raw_id, (60, 60, 64))
    canvas.line([hubs[1], grip], 0.09 * scale, raw_id, (80, 80, 84))


def _draw_along(canvas: Canvas, rng, foot: Point, scale: float, kind: str) -> None:
    raw_id, color = IDS[kind], paint_color(rng)
    column, row = foot
    wide = 0.05 if kind == "bicycle" else 0.13
    wheel = (column, row - 0.34 * scale)
    canvas.ellipse(wheel, (wide * scale, 0.34 * scale), raw_id, (30, 30, 32))
    _bar(canvas, column, row - 0.98 * scale, 0.28 * scale, 0.05 * scale, raw_id, (40, 40, 42))
    canvas.line(
        [(column, row - 0.5 * scale), (column, row - 0.98 * scale)],
        (0.05 if kind == "bicycle" else 0.28) * scale,
        raw_id,
        color,
    )
    if kind == "motorcycle":
        lamp = (column, row - 0.8 * scale)
        canvas.ellipse(lamp, (0.08 * scale, 0.07 * scale), raw_id, (220, 60, 50))


def _bar(canvas: Canvas, column, row, half, thickness, raw_id: int, color: Color) -> None:
    canvas.line([(column - half, row), (column + half, row)], thickness, raw_id, color)


def _ground_shadow(canvas: Canvas, right: float, ahead: float, half: float) -> None:
    near, far = ahead - 0.15, ahead + 0.25
    corners = [(right - half, 0, near), (right + half, 0, near)]
    canvas.shadow([*corners, (right + half, 0, far), (right - half, 0, far)], 0.45)
