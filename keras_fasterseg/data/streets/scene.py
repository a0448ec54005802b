"""Composition of a whole scene, from the sky to the noise of the camera."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from keras_fasterseg.data.streets import furniture, people, vehicles
from keras_fasterseg.data.streets.canvas import IDS, Camera, Canvas, Color, jitter, pick, steps
from keras_fasterseg.data.streets.ground import Street, draw_ground
from keras_fasterseg.data.streets.sides import draw_side, draw_skyline, draw_tree

# Something of each rare class is put in plain view of one scene in six.
_FEATURES = ("train", "truck", "bus", "motorcycle", "bicycle", "crossing")
_FEATURED_SIDES = ("wall", "fence", None, None)

_VEHICLES = {
    "car": vehicles.draw_car,
    "truck": vehicles.draw_truck,
    "bus": vehicles.draw_bus,
    "train": vehicles.draw_train,
}
_GROUND_IDS = ("road", "sidewalk", "terrain")

# Strength of fine and of coarse texture, in grey levels.
_TEXTURES = {
    "road": (5, 5),
    "sidewalk": (7, 6),
    "terrain": (13, 12),
    "vegetation": (17, 15),
    "building": (5, 6),
    "wall": (8, 9),
    "fence": (5, 4),
    "sky": (0, 2),
}


def draw_scene(
    rng: np.random.Generator, number: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws scene `number`.

    Args:
        rng: Source of all chance, so that the same generator gives the same scene.
        number: Chooses which of the rare things the scene is sure to show.
        height: Height in pixels.
        width: Width in pixels.

    Returns:
        The image `(height, width, 3)` and raw Cityscapes ids `(height, width)`, both uint8, and
        Cityscapes' instance ids `(height, width)`, uint16: 1000 times the raw id plus a number for
        each vehicle and person, the raw id for everything else.
    """
    camera = Camera(
        width=width,
        height=height,
        focal=rng.uniform(1.2, 1.9) * height,
        center=rng.uniform(0.4, 0.6) * width,
        horizon=rng.uniform(0.36, 0.5) * height,
        above_ground=rng.uniform(1.3, 2.0),
    )
    sky, haze = _draw_sky(rng, height, width)
    canvas = Canvas(camera, sky, haze, visibility=rng.uniform(60, 300))
    draw_skyline(canvas, rng)
    street = draw_ground(canvas, rng)
    featured_side = _FEATURED_SIDES[number % len(_FEATURED_SIDES)]
    featured_index = int(rng.integers(2))
    for index, front in enumerate(street.fronts):
        kind = featured_side if index == featured_index else None
        draw_side(canvas, rng, 2 * index - 1, front, kind)
    things = _traffic(canvas, rng, street, _FEATURES[number % len(_FEATURES)])
    things += _along_the_road(canvas, rng, street)
    for thing, (_, draw) in enumerate(sorted(things, key=lambda each: -each[0])):
        canvas.thing = thing
        draw()
    if rng.random() < 0.5:
        _draw_bonnet(canvas, rng)
    instance_ids = np.asarray(canvas.instance_ids).astype(np.uint16)
    return _photograph(canvas, rng), np.asarray(canvas.ids), instance_ids


def _draw_sky(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, Color]:
    """A sky `(height, width, 3)` uint8, clear, cloudy or grey, and the colour at its foot."""
    zenith = jitter(rng, pick(rng, (88, 136, 206), (146, 170, 200), (168, 172, 178)), 24)
    haze = jitter(rng, pick(rng, (206, 216, 226), (214, 208, 198), (190, 192, 196)), 20)
    down = np.linspace(0, 2, height, dtype=np.float32).clip(0, 1)[:, None, None]
    sky = (1 - down) * np.array(zenith, np.float32) + down * np.array(haze, np.float32)
    clouds = _smooth_noise(rng, height, width, 6) + 0.5 * _smooth_noise(rng, height, width, 14)
    cover = (rng.uniform(0.1, 0.9) * (clouds - rng.uniform(-1, 1))).clip(0, 0.8)[..., None]
    sky = (1 - cover) * sky + cover * np.array(jitter(rng, (232, 232, 234), 14), np.float32)
    return sky.clip(0, 255).astype(np.uint8), haze


def _traffic(
    canvas: Canvas, rng: np.random.Generator, street: Street, featured: str
) -> list[tuple[float, Callable[[], object]]]:
    """What moves or stands on the road, each with its distance."""
    left, right = street.road
    things: list[tuple[float, Callable[[], object]]] = []
    taken: list[tuple[float, float, float]] = []

    def place(kind: str, column: float, ahead: float) -> None:
        length = {"car": 6.0, "truck": 12.0, "bus": 15.0, "train": 36.0}.get(kind, 3.0)
        for other, start, end in taken:
            if abs(other - column) < 2.4 and ahead < end and start < ahead + length:
                return
        taken.append((column, ahead, ahead + length))
        if kind in _VEHICLES:
            things.append((ahead, lambda: _VEHICLES[kind](canvas, rng, column, ahead)))
        elif kind == "person":
            things.append((ahead, lambda: people.draw_person(canvas, rng, column, ahead)))
        else:

            def draw() -> None:
                people.draw_two_wheeler(canvas, rng, column, ahead, kind=kind, ridden=True)

            things.append((ahead, draw))

    if featured in _VEHICLES:
        place(featured, rng.uniform(left + 1.4, right - 1.4), rng.uniform(9, 16))
    elif featured == "crossing":
        for _ in range(int(rng.integers(1, 5))):
            place("person", rng.uniform(left, right), rng.uniform(6, 14))
    else:
        place(featured, rng.uniform(left + 0.5, right - 0.5), rng.uniform(5.5, 9))
    for side, edge in zip((-1, 1), street.road, strict=True):
        if rng.random() < 0.55:
            for ahead in steps(rng.uniform(4, 12), 70, rng.uniform(5.5, 9)):
                if rng.random() < 0.75:
                    place("car", edge - side * rng.uniform(0.9, 1.2), float(ahead))
    kinds = ("car", "truck", "bus", "train", "bicycle", "motorcycle", "person")
    for _ in range(int(rng.integers(1, 7))):
        kind = str(rng.choice(kinds, p=(0.46, 0.08, 0.08, 0.04, 0.14, 0.1, 0.1)))
        place(kind, rng.uniform(left + 1.0, right - 1.0), 6 + 60 * rng.random() ** 2)
    return things


def _along_the_road(
    canvas: Canvas, rng: np.random.Generator, street: Street
) -> list[tuple[float, Callable[[], object]]]:
    """What stands on the sidewalks, each with its distance."""
    things: list[tuple[float, Callable[[], object]]] = []

    def add(draw: Callable[..., object], column: float, ahead: float, **options) -> None:
        column, ahead = float(column), float(ahead)
        things.append((ahead, lambda: draw(canvas, rng, column, ahead, **options)))

    for side, edge, front in zip((-1, 1), street.road, street.fronts, strict=True):
        width = abs(front - edge)

        def kerb(outward: int = side, inner: float = edge) -> float:
            return inner + outward * rng.uniform(0.25, 0.6)

        def walk(outward: int = side, inner: float = edge, free: float = width) -> float:
            return inner + outward * rng.uniform(0.4, max(0.6, free - 0.3))

        if rng.random() < 0.7:
            for ahead in steps(rng.uniform(5, 20), 80, rng.uniform(14, 28)):
                add(furniture.draw_lamp, kerb(), ahead)
        if rng.random() < 0.35:
            for ahead in steps(rng.uniform(6, 14), 70, rng.uniform(8, 16)):
                add(draw_tree, kerb(), ahead, height=rng.uniform(3.5, 7))
        for _ in range(int(rng.integers(0, 3))):
            add(furniture.draw_traffic_light, kerb(), rng.uniform(6, 26))
        for _ in range(int(rng.integers(0, 4))):
            add(furniture.draw_traffic_sign, kerb(), rng.uniform(5, 30))
        for _ in range(int(rng.integers(0, 5))):
            place, ahead = walk(), 5 + 30 * rng.random() ** 1.5
            add(people.draw_person, place, ahead)
            if rng.random() < 0.4:
                add(people.draw_person, place + rng.uniform(-0.7, 0.7), ahead + 0.2)
        for _ in range(int(rng.integers(0, 3))):
            kind = pick(rng, "bicycle", "bicycle", "motorcycle")
            add(people.draw_two_wheeler, walk(), rng.uniform(5, 20), kind=kind, ridden=False)
        if rng.random() < 0.3:
            add(furniture.draw_bin, kerb(), rng.uniform(5, 20))
    return things


def _draw_bonnet(canvas: Canvas, rng: np.random.Generator) -> None:
    """The bonnet of the car that carries the camera, which Cityscapes leaves out."""
    canvas.distance = 0.0
    width, height = canvas.camera.width, canvas.camera.height
    tall = rng.uniform(0.05, 0.12) * height
    color = jitter(rng, pick(rng, (40, 42, 46), (150, 152, 156), (92, 30, 30)), 20)
    center = (width * rng.uniform(0.45, 0.55), float(height))
    canvas.ellipse(center, (0.6 * width, tall), IDS["ego vehicle"], color)
    canvas.ellipse(center, (0.4 * width, 0.5 * tall), None, jitter(rng, color, 25))


def _photograph(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Adds texture, shadows, light and noise to what was drawn."""
    ids = np.asarray(canvas.ids)
    height, width = ids.shape
    fine_of, coarse_of = np.full(256, 4, np.float32), np.full(256, 3, np.float32)
    for name, (fine, coarse) in _TEXTURES.items():
        fine_of[IDS[name]], coarse_of[IDS[name]] = fine, coarse
    softened = canvas.image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.7)))
    image = np.asarray(softened, np.float32)
    texture = fine_of[ids] * rng.standard_normal((height, width), np.float32)
    texture += coarse_of[ids] * _smooth_noise(rng, height, width, height // 4)
    image = image + texture[..., None]
    on_ground = np.isin(ids, [IDS[name] for name in _GROUND_IDS])
    shadows = canvas.shadows.filter(ImageFilter.BoxBlur(1))
    light = 1 - np.asarray(shadows, np.float32) / 255 * on_ground
    light *= 1 + 0.08 * _smooth_noise(rng, height, width, 5)
    tint = rng.uniform(0.93, 1.07, 3).astype(np.float32)
    image = (image / 255 * light[..., None]).clip(0, 1) ** np.float32(rng.uniform(0.8, 1.3))
    image = image * tint * np.float32(rng.uniform(0.6, 1.15)) * 255
    image += rng.uniform(1, 5) * rng.standard_normal(image.shape, np.float32)
    return image.clip(0, 255).astype(np.uint8)


def _smooth_noise(rng: np.random.Generator, height: int, width: int, cells: int) -> np.ndarray:
    """Noise `(height, width)` float32 of about unit deviation with `cells` cells down."""
    cells = max(2, cells)
    across = max(2, cells * width // height)
    coarse = rng.standard_normal((cells, across), np.float32)
    return np.asarray(
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.float32
    )
