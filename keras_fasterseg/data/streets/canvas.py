"""What a scene is drawn with: a camera, and a canvas that holds the image and its label."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from cityscapesscripts.helpers.labels import labels
from PIL import Image, ImageDraw

Color = tuple[int, int, int]
Point = tuple[float, float]
# Right of the camera, above the ground and ahead of the camera, in metres.
Position = tuple[float, float, float]

IDS: dict[str, int] = {label.name: label.id for label in labels if label.id >= 0}
_IDS_WITH_INSTANCES = frozenset(label.id for label in labels if label.hasInstances)
# Cityscapes' instance ids: that of the class times this, plus a number.
_INSTANCES_OF_A_CLASS = 1000


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

    def project(self, position: Position) -> Point:
        """Column and row in pixels at which `position` is seen; it must lie ahead."""
        right, up, ahead = position
        scale = self.focal / ahead
        return self.center + scale * right, self.horizon + scale * (self.above_ground - up)

    @property
    def nearest(self) -> float:
        """Distance in metres of the ground just below the lower edge of the image."""
        return 0.8 * self.focal * self.above_ground / (self.height - self.horizon)


class Canvas:
    """An RGB image, the raw Cityscapes id and the instance id of its pixels, drawn together.

    Every shape is given a raw id, or `None` to leave the label as it is, and a colour, or `None`
    to leave the image as it is. Colours fade into the haze with `distance`, which the painter
    sets, in metres. `thing` is the number, below 1000, of what is being drawn: it tells one car
    from the next.
    """

    def __init__(self, camera: Camera, sky: np.ndarray, haze: Color, visibility: float) -> None:
        """Starts with `sky` `(height, width, 3)` uint8 everywhere."""
        size = (camera.width, camera.height)
        self.camera = camera
        self.image = Image.fromarray(sky)
        self.ids = Image.new("L", size, IDS["sky"])
        self.instance_ids = Image.new("I", size, IDS["sky"])
        self.shadows = Image.new("L", size, 0)
        self._haze = haze
        self._visibility = visibility
        self.distance = 0.0
        self.thing = 0
        self._draw = ImageDraw.Draw(self.image)
        self._draw_ids = ImageDraw.Draw(self.ids)
        self._draw_instance_ids = ImageDraw.Draw(self.instance_ids)
        self._draw_shadows = ImageDraw.Draw(self.shadows)

    def polygon(self, points: Sequence[Point], raw_id: int | None, color: Color | None) -> None:
        """A filled polygon, in pixels."""
        if color is not None:
            self._draw.polygon(points, fill=self._hazed(color))
        if raw_id is not None:
            self._draw_ids.polygon(points, fill=raw_id)
            self._draw_instance_ids.polygon(points, fill=self._instance_id(raw_id))

    def ellipse(self, center: Point, radii: Point, raw_id: int | None, color: Color | None) -> None:
        """A filled ellipse, in pixels."""
        (column, row), (across, down) = center, radii
        box = (column - across, row - down, column + across, row + down)
        if color is not None:
            self._draw.ellipse(box, fill=self._hazed(color))
        if raw_id is not None:
            self._draw_ids.ellipse(box, fill=raw_id)
            self._draw_instance_ids.ellipse(box, fill=self._instance_id(raw_id))

    def ring(self, center: Point, radius: float, thickness: float, color: Color) -> None:
        """The outline of a circle, in the image alone."""
        (column, row), width = center, max(1, round(thickness))
        box = (column - radius, row - radius, column + radius, row + radius)
        self._draw.ellipse(box, outline=self._hazed(color), width=width)

    def line(
        self, points: Sequence[Point], thickness: float, raw_id: int | None, color: Color
    ) -> None:
        """A line of `thickness` pixels, at least one."""
        width = max(1, round(thickness))
        self._draw.line(points, fill=self._hazed(color), width=width, joint="curve")
        if raw_id is not None:
            self._draw_ids.line(points, fill=raw_id, width=width, joint="curve")
            instance_id = self._instance_id(raw_id)
            self._draw_instance_ids.line(points, fill=instance_id, width=width, joint="curve")

    def surface(self, corners: Sequence[Position], raw_id: int | None, color: Color | None) -> None:
        """A filled polygon whose corners are given in metres."""
        self.polygon([self.camera.project(corner) for corner in corners], raw_id, color)

    def shadow(self, corners: Sequence[Position], strength: float) -> None:
        """Darkens the ground within `corners` (in metres) by `strength` in [0, 1]."""
        points = [self.camera.project(corner) for corner in corners]
        self._draw_shadows.polygon(points, fill=round(255 * strength))

    @property
    def distance(self) -> float:
        """Distance in metres of what is drawn next."""
        return self._distance

    @distance.setter
    def distance(self, distance: float) -> None:
        self._distance = distance
        self._clear = math.exp(-distance / self._visibility)

    def _instance_id(self, raw_id: int) -> int:
        if raw_id in _IDS_WITH_INSTANCES:
            return _INSTANCES_OF_A_CLASS * raw_id + self.thing
        return raw_id

    def _hazed(self, color: Color) -> Color:
        clear, hazy = self._clear, 1 - self._clear
        haze = self._haze
        return (
            int(clear * color[0] + hazy * haze[0]),
            int(clear * color[1] + hazy * haze[1]),
            int(clear * color[2] + hazy * haze[2]),
        )


def steps(start: float, stop: float, step: float) -> list[float]:
    """`start`, `start + step`, and so on, all before `stop` (after it for a negative step)."""
    return np.arange(start, stop, step).tolist()


def pick(rng: np.random.Generator, *options):
    """One of `options`, each as likely."""
    return options[int(rng.integers(len(options)))]


def jitter(rng: np.random.Generator, color: Color, amount: float) -> Color:
    """`color` with its brightness moved by up to `amount` and each channel by a third of that."""
    brightness = rng.uniform(-amount, amount)
    red, green, blue = (
        int(min(255, max(0, value + brightness + rng.uniform(-amount, amount) / 3)))
        for value in color
    )
    return red, green, blue


def shade(color: Color, factor: float) -> Color:
    """`color` made darker (`factor` below 1) or lighter."""
    red, green, blue = (min(255, int(value * factor)) for value in color)
    return red, green, blue


def paint_color(rng: np.random.Generator) -> Color:
    """A colour of paint or cloth: mostly greys and muted colours, now and then a strong one."""
    if rng.random() < 0.5:
        grey = rng.uniform(20, 235)
        return jitter(rng, (int(grey), int(grey), int(grey)), 14)
    red, green, blue = (int(value) for value in rng.uniform(15, 225, 3))
    return red, green, blue
