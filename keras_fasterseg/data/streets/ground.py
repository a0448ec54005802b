"""The ground of a scene: road, kerbs, sidewalks, strips of grass and what is painted on them."""

import dataclasses

import numpy as np

from keras_fasterseg.data.streets.canvas import IDS, Canvas, jitter, pick, shade, steps

FAR = 220.0


@dataclasses.dataclass(frozen=True)
class Street:
    """Cross-section of a street, in metres right of the camera.

    Attributes:
        road: Left and right edge of the road.
        fronts: Left and right line along which buildings stand.
        lane: Width of a lane.
    """

    road: tuple[float, float]
    fronts: tuple[float, float]
    lane: float


def draw_ground(canvas: Canvas, rng: np.random.Generator) -> Street:
    """Draws everything flat and says where it lies."""
    road_edges = (-rng.uniform(3.0, 8.0), rng.uniform(2.5, 6.0))
    near = canvas.camera.nearest
    canvas.distance = 15.0
    stone = jitter(rng, pick(rng, (150, 146, 140), (128, 124, 122), (172, 150, 138)), 22)
    grass = jitter(rng, pick(rng, (96, 124, 62), (122, 128, 70), (140, 124, 86)), 18)
    asphalt = jitter(rng, pick(rng, (96, 96, 100), (122, 118, 116), (74, 76, 82)), 16)
    fronts = []
    for side, edge in zip((-1, 1), road_edges, strict=True):
        _strip(
            canvas, side * 70, edge, "terrain" if rng.random() < 0.6 else "sidewalk", grass, stone
        )
        walk = edge + side * rng.uniform(1.6, 4.0)
        _strip(canvas, walk, edge, "sidewalk", grass, stone)
        front = walk
        if rng.random() < 0.5:
            front = walk + side * rng.uniform(0.8, 4.0)
            _strip(canvas, front, walk, "terrain", grass, stone)
        elif rng.random() < 0.4:
            inner = edge + side * rng.uniform(0.5, 1.2)
            _strip(canvas, inner, edge, "terrain", grass, stone)
        kerb = (edge, edge + side * 0.15)
        canvas.surface(_flat(*kerb, near, FAR), None, shade(stone, 1.25))
        fronts.append(front)
    canvas.surface(_flat(*road_edges, near, FAR), IDS["road"], asphalt)
    lane = rng.uniform(2.8, 3.6)
    street = Street(road_edges, (fronts[0], fronts[1]), lane)
    _draw_markings(canvas, rng, street, asphalt)
    return street


def _flat(left: float, right: float, near: float, far: float) -> list[tuple[float, float, float]]:
    return [(left, 0.0, near), (right, 0.0, near), (right, 0.0, far), (left, 0.0, far)]


def _strip(canvas: Canvas, outer: float, inner: float, name: str, grass, stone) -> None:
    color = grass if name == "terrain" else stone
    canvas.surface(_flat(outer, inner, canvas.camera.nearest, FAR), IDS[name], color)


def _draw_markings(canvas: Canvas, rng: np.random.Generator, street: Street, asphalt) -> None:
    near = canvas.camera.nearest
    white = jitter(rng, (215, 215, 210), 25)
    left, right = street.road
    for _ in range(int(rng.integers(0, 4))):
        column, ahead = rng.uniform(left, right), rng.uniform(near, 30)
        width, length = rng.uniform(0.3, 1.5), rng.uniform(0.6, 6)
        patch = _flat(column, min(column + width, right), ahead, ahead + length)
        canvas.surface(patch, None, shade(asphalt, rng.uniform(0.7, 1.2)))
    if rng.random() < 0.8:
        start, dash, gap = rng.uniform(0, 6), rng.uniform(2, 4), rng.uniform(2, 6)
        for line in steps(right - street.lane, left + 1.0, -street.lane):
            for ahead in steps(near + start, 90, dash + gap):
                canvas.surface(_flat(line - 0.08, line + 0.08, ahead, ahead + dash), None, white)
    if rng.random() < 0.5:
        for edge in (left + 0.3, right - 0.3):
            canvas.surface(_flat(edge - 0.06, edge + 0.06, near, FAR), None, white)
    if rng.random() < 0.3:
        ahead = rng.uniform(7, 22)
        for line in steps(left + 0.4, right - 0.4, 1.0):
            canvas.surface(_flat(line, line + 0.5, ahead, ahead + 3), None, white)
    if rng.random() < 0.6:
        # The shade of the houses of one side.
        edge = rng.uniform(left, right)
        outer = rng.choice([-70.0, 70.0])
        canvas.shadow(_flat(outer, edge, near, FAR), rng.uniform(0.25, 0.55))
