"""Cars, trucks, buses and trams: boxes along the street with wheels, windows and lights."""

import dataclasses

import numpy as np

from keras_fasterseg.data.streets.canvas import (
    IDS,
    Canvas,
    Color,
    jitter,
    paint_color,
    pick,
    shade,
    steps,
)

_TYRE = (26, 26, 28)


@dataclasses.dataclass(frozen=True)
class Body:
    """A vehicle as a box: its near end's centre and its extent, in metres."""

    right: float
    ahead: float
    width: float
    length: float
    height: float

    @property
    def seen_side(self) -> float:
        """Where the long side that the camera sees lies, in metres right of the camera."""
        half = self.width / 2
        return self.right - half if self.right > 0 else self.right + half


def draw_car(canvas: Canvas, rng: np.random.Generator, right: float, ahead: float) -> Body:
    """A car whose near end is at a place in metres; returns the space it takes."""
    body = Body(
        right, ahead, rng.uniform(1.65, 1.85), rng.uniform(3.6, 4.8), rng.uniform(1.4, 1.75)
    )
    color, glass = paint_color(rng), jitter(rng, (52, 58, 66), 14)
    raw_id = IDS["car"]
    waist = 0.58 * body.height
    _cast_shadow(canvas, body)
    # The cabin first: the lower body hides its foot.
    inset = 0.12 * body.width
    near, end = ahead + 0.12 * body.length, ahead + rng.uniform(0.6, 0.85) * body.length
    side = body.seen_side
    inner = side + (inset if body.right > 0 else -inset)
    top = body.height
    cabin = [(side, waist, ahead), (inner, top, near), (inner, top, end - 0.5), (side, waist, end)]
    canvas.surface(cabin, raw_id, shade(color, 0.8))
    pane = [(side, waist, near), (inner, top - 0.1, near + 0.3)]
    pane += [(inner, top - 0.1, end - 0.6), (side, waist, end - 0.2)]
    canvas.surface(pane, None, shade(glass, 1.1))
    _long_side(canvas, body, raw_id, 0.22, waist, shade(color, 0.85))
    _wheels(canvas, body, raw_id, 0.32, (0.18, 0.8))
    left, far_right = body.right - body.width / 2, body.right + body.width / 2
    canvas.surface(
        [
            (left, waist, ahead),
            (left + inset, body.height, near),
            (far_right - inset, body.height, near),
            (far_right, waist, ahead),
        ],
        raw_id,
        color,
    )
    canvas.surface(
        [
            (left + 0.14, waist, ahead),
            (left + inset + 0.1, body.height - 0.12, near),
            (far_right - inset - 0.1, body.height - 0.12, near),
            (far_right - 0.14, waist, ahead),
        ],
        None,
        glass,
    )
    _near_end(canvas, body, raw_id, 0.25, waist, color)
    _near_end(canvas, body, None, 0.25, 0.42, shade(color, 0.6))
    for wheel in (left + 0.02, far_right - 0.24):
        canvas.surface(_end(wheel, wheel + 0.22, ahead, 0, 0.3), raw_id, _TYRE)
    _lights(canvas, rng, body, 0.8 * waist)
    plate = _end(body.right - 0.25, body.right + 0.25, ahead, 0.4, 0.52)
    canvas.surface(plate, None, (225, 222, 200))
    return body


def draw_truck(canvas: Canvas, rng: np.random.Generator, right: float, ahead: float) -> Body:
    """A truck with a box, seen from behind or, with its cab, from the front."""
    body = Body(right, ahead, rng.uniform(2.2, 2.5), rng.uniform(5.5, 10), rng.uniform(2.8, 3.8))
    color, raw_id = paint_color(rng), IDS["truck"]
    _cast_shadow(canvas, body)
    _long_side(canvas, body, raw_id, 0.4, 0.95, (44, 44, 46))
    _long_side(canvas, body, raw_id, 0.95, body.height, shade(color, 0.82))
    for rib in steps(ahead + 1, ahead + body.length, 1.2):
        _side_panel(canvas, body, rib, rib + 0.08, 0.95, body.height, shade(color, 0.7))
    _wheels(canvas, body, raw_id, 0.5, (0.1, 0.25, 0.85))
    if rng.random() < 0.5:
        cab = paint_color(rng)
        _near_end(canvas, body, raw_id, 0.35, 0.78 * body.height, cab)
        _near_end(canvas, body, raw_id, 0.78 * body.height, body.height, shade(color, 0.9))
        glass = _end(right - 0.44 * body.width, right + 0.44 * body.width, ahead, 1.55, 2.35)
        canvas.surface(glass, None, jitter(rng, (48, 54, 62), 12))
        grille = _end(right - 0.3 * body.width, right + 0.3 * body.width, ahead, 0.6, 1.2)
        canvas.surface(grille, None, shade(cab, 0.5))
    else:
        _near_end(canvas, body, raw_id, 0.45, 0.95, (48, 48, 50))
        _near_end(canvas, body, raw_id, 0.9, body.height, color)
        door = _end(right - 0.02, right + 0.04, ahead, 1.0, body.height - 0.1)
        canvas.surface(door, None, shade(color, 0.6))
        frame = _end(right - body.width / 2, right + body.width / 2, ahead, 0.9, 1.05)
        canvas.surface(frame, None, shade(color, 0.5))
    for wheel in (right - body.width / 2 + 0.05, right + body.width / 2 - 0.45):
        canvas.surface(_end(wheel, wheel + 0.4, ahead, 0, 0.5), raw_id, _TYRE)
    _lights(canvas, rng, body, 0.75)
    return body


def draw_bus(canvas: Canvas, rng: np.random.Generator, right: float, ahead: float) -> Body:
    """A bus: a band of windows, a large pane at its end and a lit destination above it."""
    body = Body(right, ahead, rng.uniform(2.4, 2.55), rng.uniform(9, 13), rng.uniform(2.9, 3.2))
    color, glass = paint_color(rng), jitter(rng, (46, 52, 60), 14)
    raw_id = IDS["bus"]
    _cast_shadow(canvas, body)
    _long_side(canvas, body, raw_id, 0.3, body.height, shade(color, 0.85))
    for start in steps(ahead + 0.4, ahead + body.length - 1.3, 1.5):
        _side_panel(canvas, body, start, start + 1.3, 1.3, 2.4, shade(glass, rng.uniform(0.8, 1.3)))
    _wheels(canvas, body, raw_id, 0.48, (0.2, 0.75))
    _near_end(canvas, body, raw_id, 0.3, body.height, color)
    pane = _end(right - 0.45 * body.width, right + 0.45 * body.width, ahead, 1.25, 2.45)
    canvas.surface(pane, None, glass)
    board = _end(right - 0.32 * body.width, right + 0.32 * body.width, ahead, 2.52, 2.8)
    canvas.surface(board, None, (24, 22, 20))
    text = _end(right - 0.22 * body.width, right + 0.2 * body.width, ahead, 2.6, 2.72)
    canvas.surface(text, None, (240, 160, 40))
    for wheel in (right - body.width / 2 + 0.08, right + body.width / 2 - 0.4):
        canvas.surface(_end(wheel, wheel + 0.32, ahead, 0, 0.32), raw_id, _TYRE)
    _lights(canvas, rng, body, 0.7)
    return body


def draw_train(canvas: Canvas, rng: np.random.Generator, right: float, ahead: float) -> Body:
    """A tram on its rails: long, high, with a rounded end, a stripe and a pantograph."""
    body = Body(right, ahead, rng.uniform(2.3, 2.6), rng.uniform(22, 34), rng.uniform(3.3, 3.7))
    color, stripe = paint_color(rng), paint_color(rng)
    glass, raw_id = jitter(rng, (40, 46, 54), 12), IDS["train"]
    near = canvas.camera.nearest
    for rail in (right - 0.72, right + 0.72):
        rails = [(rail - 0.05, 0.0, near), (rail + 0.05, 0.0, near)]
        rails += [(rail + 0.05, 0.0, ahead), (rail - 0.05, 0.0, ahead)]
        canvas.surface(rails, None, (66, 62, 60))
    _cast_shadow(canvas, body)
    scale = canvas.camera.focal / (ahead + 4)
    top = canvas.camera.project((right, body.height, ahead + 4))
    wire = (top[0] + 0.6 * scale, top[1] - 0.6 * scale)
    canvas.line([top, wire, (top[0] - 0.2 * scale, top[1] - 1.3 * scale)], 1, raw_id, (50, 50, 52))
    _long_side(canvas, body, raw_id, 0.15, body.height, shade(color, 0.85))
    _side_panel(canvas, body, ahead, ahead + body.length, 0.3, 1.1, shade(stripe, 0.85))
    for start in steps(ahead + 1.0, ahead + body.length - 2, 2.2):
        _side_panel(canvas, body, start, start + 1.8, 1.4, 2.6, shade(glass, rng.uniform(0.8, 1.3)))
    half = body.width / 2
    nose = [
        (right - half, 0.15, ahead),
        (right - half, body.height - 0.7, ahead),
        (right - 0.7 * half, body.height, ahead),
        (right + 0.7 * half, body.height, ahead),
        (right + half, body.height - 0.7, ahead),
        (right + half, 0.15, ahead),
    ]
    canvas.surface(nose, raw_id, color)
    canvas.surface(_end(right - half, right + half, ahead, 0.3, 1.1), None, stripe)
    pane = [
        (right - 0.85 * half, 1.4, ahead),
        (right - 0.7 * half, body.height - 0.6, ahead),
        (right + 0.7 * half, body.height - 0.6, ahead),
        (right + 0.85 * half, 1.4, ahead),
    ]
    canvas.surface(pane, None, glass)
    _lights(canvas, rng, body, 0.7)
    return body


def _end(left: float, right: float, ahead: float, low: float, high: float):
    return [(left, low, ahead), (left, high, ahead), (right, high, ahead), (right, low, ahead)]


def _near_end(canvas: Canvas, body: Body, raw_id, low: float, high: float, color: Color) -> None:
    half = body.width / 2
    corners = _end(body.right - half, body.right + half, body.ahead, low, high)
    canvas.surface(corners, raw_id, color)


def _long_side(canvas: Canvas, body: Body, raw_id, low: float, high: float, color: Color) -> None:
    side, near, far = body.seen_side, body.ahead, body.ahead + body.length
    corners = [(side, low, near), (side, high, near), (side, high, far), (side, low, far)]
    canvas.surface(corners, raw_id, color)


def _side_panel(
    canvas: Canvas, body: Body, near: float, far: float, low: float, high: float, color: Color
) -> None:
    side = body.seen_side
    corners = [(side, low, near), (side, high, near), (side, high, far), (side, low, far)]
    canvas.surface(corners, None, color)


def _wheels(
    canvas: Canvas, body: Body, raw_id: int, radius: float, places: tuple[float, ...]
) -> None:
    """Wheels on the seen side, at shares of the length."""
    side = body.seen_side
    for place in places:
        ahead = body.ahead + place * body.length
        corners = []
        for angle in np.linspace(0, 2 * np.pi, 9)[:-1]:
            rim = ahead + radius * np.cos(angle)
            corners.append((side, radius + radius * np.sin(angle), rim))
        canvas.surface(corners, raw_id, _TYRE)


def _lights(canvas: Canvas, rng: np.random.Generator, body: Body, up: float) -> None:
    color = pick(rng, (190, 30, 30), (150, 24, 28), (240, 236, 215))
    half = body.width / 2
    for left in (body.right - half + 0.05, body.right + half - 0.3):
        lamp = _end(left, left + 0.25, body.ahead, up - 0.1, up + 0.1)
        canvas.surface(lamp, None, color)


def _cast_shadow(canvas: Canvas, body: Body) -> None:
    half = body.width / 2 + 0.15
    near, far = body.ahead - 0.25, body.ahead + body.length
    canvas.distance = body.ahead
    canvas.shadow(
        [
            (body.right - half, 0, near),
            (body.right + half, 0, near),
            (body.right + half, 0, far),
            (body.right - half, 0, far),
        ],
        0.65,
    )
