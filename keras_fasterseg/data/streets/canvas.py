"""Drawing tools of a scene: randomness, a camera, and a canvas with the image and its label."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from cityscapesscripts.helpers.labels import labels
from PIL import Image, ImageDraw

Color = tuple[int, int, int]
Point = tuple[float, float]
"""Metres across the street and up."""

IDS: dict[str, int] = {label.name: label.id for label in labels if label.id >= 0}
# A Cityscapes instance id is the class id times this, plus a number.
INSTANCES_OF_A_CLASS = 1000
_WITH_INSTANCES = frozenset(label.name for label in labels if label.hasInstances)
_CIRCLE = [(math.cos(angle), math.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 17)]


@dataclasses.dataclass(frozen=True)
class Chance:
    """Random choices, all from one generator."""

    rng: np.random.Generator

    def between(self, low: float, high: float) -> float:
        """A uniformly random number between `low` and `high`."""
        return float(self.rng.uniform(low, high))

    def happens(self, probability: float) -> bool:
        """True with this probability."""
        return self.rng.random() < probability

    def pick(self, *options):
        """One of `options`, all equally likely."""
        return options[int(self.rng.integers(len(options)))]

    def color(self, *options: Color, spread: float = 18) -> Color:
        """One of `options`, with brightness varied by up to `spread` and channels by a third."""
        moved = self.between(-spread, spread) + self.rng.uniform(-spread / 3, spread / 3, 3)
        red, green, blue = (np.array(self.pick(*options)) + moved).clip(0, 255).astype(int).tolist()
        return red, green, blue

    def paint(self) -> Color:
        """A colour of paint or cloth: grey or any colour, equally likely."""
        grey = int(self.between(20, 235))
        red, green, blue = self.rng.integers(15, 225, 3).tolist()
        return self.color(self.pick((grey, grey, grey), (red, green, blue)), spread=9)


@dataclasses.dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks level along a straight street.

    Attributes:
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        focal: Focal length in pixels.
        center: Column of the vanishing point.
        horizon: Row of the vanishing point.
        above_ground: Height of the camera in metres.
    """

    width: int
    height: int
    focal: float
    center: float
    horizon: float
    above_ground: float


class Canvas:
    """An RGB image and the Cityscapes instance ids of its pixels, drawn together.

    Lengths are metres from an origin on the ground, set by `move_to`. Every shape has a class, or
    `None` to keep the label, and a colour, or `None` to keep the image.

    Attributes:
        camera: Projects metres to pixels.
        chance: Source of all randomness.
        image: The image.
        instance_ids: 1000 times the raw id plus `thing` for vehicles and people, else the raw id.
        shadows: Strength of shadows on the ground, 0 to 255.
        thing: Number of the current instance, below 1000.
    """

    def __init__(
        self, camera: Camera, chance: Chance, sky: np.ndarray, haze: Color, visibility: float
    ) -> None:
        """Starts with `sky` `(height, width, 3)` uint8; colours fade to `haze` in the distance."""
        self.camera, self.chance, self.thing = camera, chance, 0
        self.image = Image.fromarray(sky)
        self.instance_ids = Image.new("I", self.image.size, IDS["sky"])
        self.shadows = Image.new("L", self.image.size)
        self._haze, self._visibility = haze, visibility
        self._draw, self._draw_ids = map(ImageDraw.Draw, (self.image, self.instance_ids))
        self.move_to(0, 1)

    def move_to(
        self, right: float, ahead: float, facing: float = 1, hazy: float | None = None
    ) -> None:
        """Moves the origin to the ground, `right` metres right of the camera and `ahead` of it.

        With `facing` -1, shapes are mirrored. The haze is that at the distance `hazy`, by default
        `ahead`.
        """
        self._right, self._ahead, self._facing = right, ahead, facing
        self._clear = math.exp(-(ahead if hazy is None else hazy) / self._visibility)

    def surface(
        self, corners: Sequence[tuple[float, ...]], name: str | None, color: Color | None
    ) -> None:
        """Draws a filled polygon; corners are (across, up) or (across, up, ahead)."""
        points = [self._project(*corner) for corner in corners]
        if color is not None:
            self._draw.polygon(points, fill=self._hazed(color))
        if name is not None:
            self._draw_ids.polygon(points, fill=self._instance_id(name))

    def bar(
        self, points: Sequence[Point], thickness: float, name: str | None, color: Color
    ) -> None:
        """Draws a line that faces the camera, at least one pixel thick."""
        pixels = [self._project(*point) for point in points]
        width = max(1, round(thickness * self.camera.focal / self._ahead))
        self._draw.line(pixels, fill=self._hazed(color), width=width, joint="curve")
        if name is not None:
            self._draw_ids.line(pixels, fill=self._instance_id(name), width=width, joint="curve")

    def shadow(self, left: float, right: float, near: float, far: float, strength: float) -> None:
        """Darkens a rectangle on the ground by `strength` in [0, 1]."""
        points = [self._project(*corner) for corner in ground(left, right, near, far)]
        ImageDraw.Draw(self.shadows).polygon(points, fill=round(255 * strength))

    def _project(self, across: float, up: float, ahead: float = 0) -> Point:
        scale = self.camera.focal / (self._ahead + ahead)
        column = self.camera.center + scale * (self._right + self._facing * across)
        return column, self.camera.horizon + scale * (self.camera.above_ground - up)

    def _instance_id(self, name: str) -> int:
        is_instance = name in _WITH_INSTANCES
        return INSTANCES_OF_A_CLASS * IDS[name] + self.thing if is_instance else IDS[name]

    def _hazed(self, color: Color) -> Color:
        both = zip(color, self._haze, strict=True)
        red, green, blue = (int(haze + self._clear * (value - haze)) for value, haze in both)
        return red, green, blue


def board(left: float, right: float, low: float, high: float) -> list[Point]:
    """Corners of an upright rectangle that faces the camera."""
    return [(left, low), (left, high), (right, high), (right, low)]


def wall(across: float, near: float, far: float, low: float, high: float):
    """Corners of an upright rectangle along the street."""
    return [(across, low, near), (across, high, near), (across, high, far), (across, low, far)]


def ground(left: float, right: float, near: float, far: float):
    """Corners of a rectangle on the ground."""
    return [(left, 0, near), (right, 0, near), (right, 0, far), (left, 0, far)]


def oval(center: Point, across: float, up: float) -> list[Point]:
    """Corners of an ellipse that faces the camera, with radii `across` and `up`."""
    return [(center[0] + across * x, center[1] + up * y) for x, y in _CIRCLE]


def shade(color: Color, factor: float) -> Color:
    """Returns `color` darkened (`factor` below 1) or lightened."""
    red, green, blue = (min(255, int(value * factor)) for value in color)
    return red, green, blue


def places(start: float, stop: float, step: float) -> list[float]:
    """`start`, `start + step`, and so on, all before `stop` (after it for a negative step)."""
    return np.arange(start, stop, step).tolist()
