"""What stands along a street: buildings, walls, fences, hedges and trees."""

import numpy as np

from keras_fasterseg.data.streets.canvas import (
    IDS,
    Canvas,
    Color,
    Point,
    jitter,
    pick,
    shade,
    steps,
)

KINDS = ("building", "wall", "fence", "vegetation", "gap")


def draw_skyline(canvas: Canvas, rng: np.random.Generator) -> None:
    """Trees and houses far away, along the whole horizon."""
    camera = canvas.camera
    canvas.distance = 90.0
    column = 0.0
    while column < camera.width:
        width = rng.uniform(0.04, 0.18) * camera.width
        if rng.random() < 0.5:
            top = camera.horizon - rng.uniform(0.02, 0.13) * camera.height
            box = [(column, camera.horizon + 2), (column, top)]
            box += [(column + width, top), (column + width, camera.horizon + 2)]
            canvas.polygon(box, IDS["building"], _plaster(rng))
        else:
            center = (column + width / 2, camera.horizon)
            radii = (0.7 * width, rng.uniform(0.02, 0.1) * camera.height)
            canvas.ellipse(center, radii, IDS["vegetation"], _leaves(rng))
        column += rng.uniform(0.5, 1.0) * width


def draw_side(
    canvas: Canvas, rng: np.random.Generator, side: int, front: float, featured: str | None
) -> None:
    """Draws one side of the street from far to near.

    Args:
        canvas: Drawn on.
        rng: Source of chance.
        side: -1 for the left side, 1 for the right one.
        front: Where the side begins, in metres right of the camera.
        featured: One of `KINDS` that stands at about 15 m, if any.
    """
    chances = rng.dirichlet((2.2, 0.7, 0.7, 1.4, 0.5))
    ahead = 110.0
    while ahead > 3:
        near = max(2.0, ahead - rng.uniform(6, 20))
        kind = featured if featured and near < 15 <= ahead else rng.choice(KINDS, p=chances)
        line = front + side * rng.uniform(0, 1.2)
        canvas.distance = near
        _DRAW[kind](canvas, rng, side, line, near, ahead)
        ahead = near if rng.random() < 0.8 else near - rng.uniform(1, 4)


def draw_tree(
    canvas: Canvas, rng: np.random.Generator, right: float, ahead: float, height: float
) -> None:
    """A tree at a place in metres: trunk and a crown of many clumps."""
    camera = canvas.camera
    canvas.distance = ahead
    bark = jitter(rng, (84, 68, 54), 20)
    scale = camera.focal / ahead
    foot = camera.project((right, 0, ahead))
    middle = camera.project((right, 0.62 * height, ahead))
    canvas.line([foot, middle], 0.28 * scale, IDS["vegetation"], bark)
    _clumps(canvas, rng, middle, (0.34 * height * scale, 0.36 * height * scale))


def _clumps(canvas: Canvas, rng: np.random.Generator, center: Point, radii: Point) -> None:
    """Round clumps of leaves within an ellipse in pixels: fewer where it is small."""
    count = int(min(20, 5 + radii[0]))
    angles, reaches = 2 * np.pi * rng.random(count), 0.75 * np.sqrt(rng.random(count))
    across, up = np.cos(angles) * reaches, np.sin(angles) * reaches
    columns, rows = center[0] + radii[0] * across, center[1] - radii[1] * up
    sizes = rng.uniform(0.22, 0.45, count)
    # Lit from above.
    brightness = 1.0 + 0.33 * up + rng.uniform(-0.12, 0.12, count)
    leaves = np.outer(brightness, _leaves(rng)).clip(0, 255).astype(int).tolist()
    places = zip(columns.tolist(), rows.tolist(), strict=True)
    for place, size, color in zip(places, sizes.tolist(), leaves, strict=True):
        across_down = (size * radii[0], size * radii[1])
        canvas.ellipse(place, across_down, IDS["vegetation"], tuple(color))


def _leaves(rng: np.random.Generator) -> Color:
    return jitter(rng, pick(rng, (70, 96, 48), (92, 108, 52), (56, 78, 50), (128, 104, 56)), 18)


def _plaster(rng: np.random.Generator) -> Color:
    options = (
        (178, 168, 150),
        (142, 110, 92),
        (120, 116, 114),
        (196, 190, 182),
        (160, 128, 96),
        (98, 84, 80),
    )
    return jitter(rng, pick(rng, *options), 24)


def _upright(right: float, near: float, far: float, low: float, high: float):
    """Corners of an upright rectangle along the street."""
    return [(right, low, near), (right, high, near), (right, high, far), (right, low, far)]


def _facing(left: float, right: float, ahead: float, low: float, high: float):
    """Corners of an upright rectangle that faces the camera."""
    return [(left, low, ahead), (left, high, ahead), (right, high, ahead), (right, low, ahead)]


def _draw_building(canvas: Canvas, rng, side, line, near, far) -> None:
    height = rng.uniform(5, 17)
    color = _plaster(rng)
    glass = jitter(rng, pick(rng, (58, 64, 74), (96, 108, 122), (40, 40, 44)), 16)
    facade, end = shade(color, rng.uniform(0.85, 1.1)), shade(color, rng.uniform(0.6, 0.9))
    canvas.surface(_facing(line, line + side * 14, near, 0, height), IDS["building"], end)
    canvas.surface(_upright(line, near, far, 0, height), IDS["building"], facade)
    canvas.surface(_upright(line, near, far, height - 0.4, height), None, shade(color, 0.7))
    floor, bay = rng.uniform(2.7, 3.4), rng.uniform(2.0, 3.6)
    low, high = 0.3 * floor, rng.uniform(0.72, 0.88) * floor
    margin = rng.uniform(0.12, 0.3) * bay
    base = shade(color, rng.uniform(0.55, 1.0))
    canvas.surface(_upright(line, near, far, 0, 0.9 * floor), None, base)
    for level in range(int(height / floor)):
        bottom = level * floor + (0.05 if level == 0 else low)
        top = level * floor + high
        for start in steps(near + 0.3, far - bay, bay):
            if level == 0 and rng.random() < 0.35:
                continue
            lit = shade(glass, rng.uniform(0.8, 1.25))
            pane = _upright(line, start + margin, start + bay - margin, bottom, top)
            canvas.surface(pane, None, lit)
        for start in steps(0.8, 9.0, bay):
            left = line + side * start
            pane = _facing(left, left + side * (bay - 2 * margin), near, bottom + 0.4, top)
            canvas.surface(pane, None, shade(glass, rng.uniform(0.7, 1.0)))


def _draw_wall(canvas: Canvas, rng, side, line, near, far) -> None:
    height = rng.uniform(1.1, 3.2)
    color = jitter(rng, pick(rng, (150, 146, 138), (140, 98, 80), (118, 112, 104)), 20)
    _backdrop(canvas, rng, side, line, near, far)
    end = _facing(line, line + side * 0.4, near, 0, height)
    canvas.surface(end, IDS["wall"], shade(color, 0.75))
    canvas.surface(_upright(line, near, far, 0, height), IDS["wall"], color)
    for course in steps(0.3, height - 0.2, 0.5):
        joint = _upright(line, near, far, course, course + 0.05)
        canvas.surface(joint, None, shade(color, 0.85))
    for start in steps(near, far, rng.uniform(1.5, 4)):
        joint = _upright(line, start, start + 0.1, 0, height)
        canvas.surface(joint, None, shade(color, 0.75))
    canvas.surface(_upright(line, near, far, height - 0.15, height), None, shade(color, 1.2))


def _draw_fence(canvas: Canvas, rng, side, line, near, far) -> None:
    height = rng.uniform(0.9, 2.2)
    color = jitter(rng, pick(rng, (62, 66, 62), (150, 150, 146), (112, 84, 60)), 20)
    _backdrop(canvas, rng, side, line, near, far)
    # What is seen through a fence is labelled as fence, as in Cityscapes.
    canvas.surface(_upright(line, near, far, 0, height), IDS["fence"], None)
    picket, gap = (0.12, 0.3) if rng.random() < 0.5 else (0.22, 0.34)
    for start in steps(near, far, gap):
        canvas.surface(_upright(line, start, start + picket, 0, height), None, color)
    for rail in (0.15 * height, 0.85 * height):
        canvas.surface(_upright(line, near, far, rail, rail + 0.1), None, shade(color, 0.8))


def _draw_vegetation(canvas: Canvas, rng, side, line, near, far) -> None:
    if rng.random() < 0.4:
        height = rng.uniform(1, 2.5)
        color = _leaves(rng)
        end = _facing(line, line + side * 1.5, near, 0, height)
        canvas.surface(end, IDS["vegetation"], shade(color, 0.75))
        canvas.surface(_upright(line, near, far, 0, height), IDS["vegetation"], color)
    _backdrop(canvas, rng, side, line, near, far)


def _draw_gap(canvas: Canvas, rng, side, line, near, far) -> None:
    if rng.random() < 0.5:
        draw_tree(canvas, rng, line + side * rng.uniform(3, 9), far, rng.uniform(4, 8))


def _backdrop(canvas: Canvas, rng, side, line, near, far) -> None:
    """Trees behind a line, from far to near, and under them grass and bushes."""
    for ahead in steps(far, near, -rng.uniform(3.5, 7)):
        behind = line + side * rng.uniform(1.5, 5)
        draw_tree(canvas, rng, behind, ahead, rng.uniform(3.5, 9))
    canvas.distance = near


_DRAW = {
    "building": _draw_building,
    "wall": _draw_wall,
    "fence": _draw_fence,
    "vegetation": _draw_vegetation,
    "gap": _draw_gap,
}
