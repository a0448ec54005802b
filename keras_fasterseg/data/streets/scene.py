"""Composition of a scene, from the sky to the camera noise."""

import numpy as np
from PIL import Image, ImageFilter

from keras_fasterseg.data.streets import things
from keras_fasterseg.data.streets.canvas import (
    IDS,
    INSTANCES_OF_A_CLASS,
    Camera,
    Canvas,
    Chance,
    board,
    ground,
    oval,
    places,
    shade,
    wall,
)

# Each rare class is placed in plain view in every sixth scene.
_FEATURES = ("train", "truck", "bus", "motorcyclist", "cyclist", "person")
_TRAFFIC = ("car", "truck", "bus", "train", "cyclist", "motorcyclist", "person")
_FEATURED_SIDES = ("wall", "fence", None, None)
_SIDES = ("building", "wall", "fence", "vegetation", "gap")
# Maximum number of each kind on a sidewalk, and their maximum distance ahead in metres.
_ROADSIDE = (
    ("lamp", 4, 70),
    ("tree", 3, 60),
    ("traffic light", 2, 26),
    ("traffic sign", 3, 30),
    ("person", 5, 30),
    ("bicycle", 2, 20),
    ("motorcycle", 1, 20),
)
_FAR = 220.0
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
        rng: Source of all randomness; the same generator state gives the same scene.
        number: Chooses the rare things that the scene always shows.
        height: Height in pixels.
        width: Width in pixels.

    Returns:
        The image `(height, width, 3)` and raw Cityscapes ids `(height, width)`, both uint8, and
        Cityscapes' instance ids `(height, width)`, uint16: 1000 times the raw id plus a number for
        each vehicle and person, the raw id for everything else.
    """
    chance = Chance(rng)
    camera = Camera(
        width=width,
        height=height,
        focal=chance.between(1.2, 1.9) * height,
        center=chance.between(0.4, 0.6) * width,
        horizon=chance.between(0.36, 0.5) * height,
        above_ground=chance.between(1.3, 2.0),
    )
    haze = chance.color((206, 216, 226), (214, 208, 198), (190, 192, 196))
    sky = _draw_sky(chance, haze, height, width)
    canvas = Canvas(camera, chance, sky, haze, visibility=chance.between(60, 300))
    road = -chance.between(3.0, 8.0), chance.between(2.5, 6.0)
    fronts = _draw_ground(canvas, road)
    featured_side = chance.pick(0, 1)
    for index, front in enumerate(fronts):
        kind = _FEATURED_SIDES[number % len(_FEATURED_SIDES)] if index == featured_side else None
        _draw_side(canvas, 2 * index - 1, front, kind)
    placed = _place_things(chance, road, fronts, _FEATURES[number % len(_FEATURES)])
    for canvas.thing, (ahead, right, name) in enumerate(sorted(placed, reverse=True)):
        things.DRAW[name](canvas, right, ahead)
    if chance.happens(0.5):
        # The bonnet of the camera's own car, which Cityscapes does not evaluate.
        canvas.move_to(0, camera.focal * camera.above_ground / (height - camera.horizon), hazy=0)
        bonnet = oval((0, 0), chance.between(1.5, 2), chance.between(0.1, 0.3))
        color = chance.color((40, 42, 46), (150, 152, 156), (92, 30, 30))
        canvas.surface(bonnet, "ego vehicle", color)
    instance_ids = np.asarray(canvas.instance_ids).astype(np.uint16)
    is_thing = instance_ids >= INSTANCES_OF_A_CLASS
    raw_ids = np.where(is_thing, instance_ids // INSTANCES_OF_A_CLASS, instance_ids)
    raw_ids = raw_ids.astype(np.uint8)
    return _photograph(canvas, raw_ids), raw_ids, instance_ids


def _draw_sky(chance: Chance, haze, height: int, width: int) -> np.ndarray:
    """A sky `(height, width, 3)` uint8, clear, cloudy or grey, fading to `haze` at the bottom."""
    zenith = chance.color((88, 136, 206), (146, 170, 200), (168, 172, 178), spread=24)
    down = np.linspace(0, 2, height)[:, None, None].clip(0, 1)
    clouds = _smooth_noise(chance, height, width, 6) + _smooth_noise(chance, height, width, 14) / 2
    cover = (chance.between(0.1, 0.9) * (clouds - chance.between(-1, 1))).clip(0, 0.8)[..., None]
    sky = (1 - cover) * ((1 - down) * zenith + down * haze) + cover * (232, 232, 234)
    return sky.clip(0, 255).astype(np.uint8)


def _draw_ground(canvas: Canvas, road: tuple[float, float]) -> list[float]:
    """Draws the horizon and all flat surfaces. Returns the left and right building lines."""
    chance, camera = canvas.chance, canvas.camera
    canvas.move_to(0, 90)
    for across in places(-90, 90, 9):
        kind, color = chance.pick(("building", _plaster(chance)), ("vegetation", _leaves(chance)))
        canvas.surface(board(across, across + 12, 0, chance.between(3, 11)), kind, color)
    # Starts below the lower edge of the image.
    near = 0.8 * camera.focal * camera.above_ground / (camera.height - camera.horizon)
    canvas.move_to(0, near, hazy=15)
    far, fronts = _FAR - near, []
    stone = chance.color((150, 146, 140), (128, 124, 122), (172, 150, 138), spread=22)
    grass = chance.color((96, 124, 62), (122, 128, 70), (140, 124, 86))
    white = chance.color((215, 215, 210), spread=25)
    for side, edge in zip((-1, 1), road, strict=True):
        walk = edge + side * chance.between(1.6, 4.0)
        front = walk + side * chance.pick(0, chance.between(0.8, 4.0))
        beyond = chance.pick(("terrain", grass), ("sidewalk", stone))
        canvas.surface(ground(edge, side * 70, 0, far), *beyond)
        canvas.surface(ground(edge, front, 0, far), "terrain", grass)
        canvas.surface(ground(edge, walk, 0, far), "sidewalk", stone)
        canvas.surface(ground(edge, edge + side * 0.15, 0, far), None, shade(stone, 1.25))
        fronts.append(front)
    left, right = road
    asphalt = chance.color((96, 96, 100), (122, 118, 116), (74, 76, 82))
    canvas.surface(ground(left, right, 0, far), "road", asphalt)
    if chance.happens(0.8):
        lane, start, gap = chance.between(2.8, 3.6), chance.between(0, 6), chance.between(4, 9)
        for line in places(right - lane, left + 1, -lane):
            for at in places(start, 90, gap):
                canvas.surface(ground(line - 0.08, line + 0.08, at, at + 3), None, white)
    if chance.happens(0.3):
        at = chance.between(4, 18)
        for line in places(left + 0.4, right - 0.4, 1):
            canvas.surface(ground(line, line + 0.5, at, at + 3), None, white)
    if chance.happens(0.6):
        # The shadow of the buildings on one side.
        outer = chance.pick(-70, 70)
        canvas.shadow(chance.between(left, right), outer, 0, far, chance.between(0.25, 0.55))
    return fronts


def _draw_side(canvas: Canvas, side: int, front: float, featured: str | None) -> None:
    """Draws one side of the street, far to near; `featured`, if not None, is at about 15 m."""
    chance = canvas.chance
    chances = chance.rng.dirichlet((2.2, 0.7, 0.7, 1.4, 0.5))
    ahead = 110.0
    while ahead > 3:
        near = max(2.0, ahead - chance.between(6, 20))
        kind = str(chance.rng.choice(_SIDES, p=chances))
        if featured and near < 15 <= ahead:
            kind = featured
        line, length = front + side * chance.between(0, 1.2), ahead - near
        if kind not in ("building", "gap"):
            for tree in places(ahead, near, -chance.between(3.5, 7)):
                things.DRAW["tree"](canvas, line + side * chance.between(1.5, 5), tree)
        canvas.move_to(line, near, facing=side)
        if kind == "building":
            _draw_building(canvas, length)
        elif kind in ("wall", "fence") or (kind == "vegetation" and chance.happens(0.4)):
            _draw_barrier(canvas, kind, length)
        ahead = near if chance.happens(0.8) else near - chance.between(1, 4)


def _draw_building(canvas: Canvas, length: float) -> None:
    chance, height = canvas.chance, canvas.chance.between(5, 17)
    color, glass = _plaster(chance), chance.color((58, 64, 74), (96, 108, 122), (40, 40, 44))
    end = shade(color, chance.between(0.6, 0.9))
    canvas.surface(board(0, 14, 0, height), "building", end)
    canvas.surface(wall(0, 0, length, 0, height), "building", color)
    canvas.surface(wall(0, 0, length, height - 0.4, height), None, shade(color, 0.7))
    floor, bay = chance.between(2.7, 3.4), chance.between(2.0, 3.6)
    pane, top = chance.between(0.4, 0.75) * bay, chance.between(0.7, 0.9) * floor
    canvas.surface(wall(0, 0, length, 0, 0.9 * floor), None, end)
    for low in places(0.3 * floor, height - floor, floor):
        high, tint = low + top - 0.3 * floor, shade(glass, chance.between(0.8, 1.2))
        for at in places(0.3, length - bay, bay):
            canvas.surface(wall(0, at, at + pane, low, high), None, tint)
        for at in places(0.8, 9, bay):
            canvas.surface(board(at, at + pane, low, high), None, shade(tint, 0.85))


def _draw_barrier(canvas: Canvas, name: str, length: float) -> None:
    """Draws a wall, a fence or a hedge."""
    chance, height = canvas.chance, canvas.chance.between(1, 2.5)
    stones = ((150, 146, 138), (140, 98, 80), (118, 112, 104))
    color = _leaves(chance) if name == "vegetation" else chance.color(*stones)
    # As in Cityscapes, everything visible through a fence is labelled as fence.
    canvas.surface(wall(0, 0, length, 0, height), name, None if name == "fence" else color)
    if name == "fence":
        for at in places(0, length, 0.32):
            canvas.surface(wall(0, at, at + 0.15, 0, height), None, shade(color, 0.8))
        for rail in (0.15 * height, 0.85 * height):
            canvas.surface(wall(0, 0, length, rail, rail + 0.1), None, shade(color, 0.7))
        return
    canvas.surface(board(0, 0.8, 0, height), name, shade(color, 0.75))
    if name == "wall":
        for low in places(0.3, height - 0.2, 0.5):
            canvas.surface(wall(0, 0, length, low, low + 0.05), None, shade(color, 0.8))
        canvas.surface(wall(0, 0, length, height - 0.15, height), None, shade(color, 1.2))


def _place_things(
    chance: Chance, road: tuple[float, float], fronts: list[float], featured: str
) -> list[tuple[float, float, str]]:
    """Chooses all things in the street: distance ahead, position right of the camera, and kind."""
    left, right = road
    placed: list[tuple[float, float, str]] = []

    def drive(name: str, across: float, ahead: float) -> None:
        end = ahead + things.room(name)
        for first, other, kind in placed:
            if abs(other - across) < 2.4 and ahead < first + things.room(kind) and first < end:
                return
        placed.append((ahead, across, name))

    near = 9 if featured in ("train", "truck", "bus") else 5.5
    drive(featured, chance.between(left + 1, right - 1), chance.between(near, 1.7 * near))
    for side, edge in zip((-1, 1), road, strict=True):
        if chance.happens(0.55):
            for ahead in places(chance.between(4, 12), 70, chance.between(7, 12)):
                drive("car", edge - side * chance.between(0.9, 1.2), ahead)
    for _ in range(chance.pick(1, 2, 3, 4, 5, 6)):
        name = str(chance.rng.choice(_TRAFFIC, p=(0.46, 0.08, 0.08, 0.04, 0.14, 0.1, 0.1)))
        drive(name, chance.between(left + 1, right - 1), 6 + 60 * chance.between(0, 1) ** 2)
    for side, edge, front in zip((-1, 1), road, fronts, strict=True):
        for name, most, farthest in _ROADSIDE:
            reach = abs(front - edge) if name in ("person", "bicycle", "motorcycle") else 0.6
            for _ in range(int(chance.rng.integers(most + 1))):
                across = edge + side * chance.between(0.3, reach)
                placed.append((chance.between(5, farthest), across, name))
    return placed


def _photograph(canvas: Canvas, raw_ids: np.ndarray) -> np.ndarray:
    """Adds texture, shadows, light and noise to the drawn scene."""
    chance, (height, width) = canvas.chance, raw_ids.shape
    textures = np.full((256, 2), (4, 3), np.float32)
    for name, strengths in _TEXTURES.items():
        textures[IDS[name]] = strengths
    fine, coarse = np.moveaxis(textures[raw_ids], -1, 0)
    texture = fine * chance.rng.standard_normal((height, width), np.float32)
    texture += coarse * _smooth_noise(chance, height, width, height // 4)
    softened = canvas.image.filter(ImageFilter.GaussianBlur(chance.between(0.3, 0.7)))
    image = np.asarray(softened, np.float32) + texture[..., None]
    on_ground = np.isin(raw_ids, [IDS[name] for name in ("road", "sidewalk", "terrain")])
    shadows = np.asarray(canvas.shadows.filter(ImageFilter.BoxBlur(1)), np.float32) / 255
    light = (1 - shadows * on_ground) * (1 + 0.08 * _smooth_noise(chance, height, width, 5))
    image = 255 * (image / 255 * light[..., None]).clip(0, 1) ** chance.between(0.8, 1.3)
    image *= chance.rng.uniform(0.93, 1.07, 3) * chance.between(0.6, 1.15)
    image += chance.between(1, 5) * chance.rng.standard_normal(image.shape, np.float32)
    return image.clip(0, 255).astype(np.uint8)


def _smooth_noise(chance: Chance, height: int, width: int, cells: int) -> np.ndarray:
    """Smooth noise `(height, width)` float32, deviation about 1, with `cells` cells vertically."""
    cells = max(2, cells)
    coarse = chance.rng.standard_normal((cells, max(2, cells * width // height)), np.float32)
    resized = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.float32)


def _leaves(chance: Chance):
    return chance.color((70, 96, 48), (92, 108, 52), (56, 78, 50), (128, 104, 56))


def _plaster(chance: Chance):
    browns = ((178, 168, 150), (142, 110, 92), (160, 128, 96), (98, 84, 80))
    return chance.color((120, 116, 114), (196, 190, 182), *browns, spread=24)
