"""Single things in a street, each drawn at a position in metres."""

import functools
from collections.abc import Callable

import numpy as np

from keras_fasterseg.data.streets.canvas import (
    Canvas,
    Point,
    board,
    ground,
    oval,
    places,
    shade,
    wall,
)

_TYRE = (26, 26, 28)
# Ranges of width, length and height in metres.
_VEHICLES = {
    "car": ((1.65, 1.85), (3.6, 4.8), (1.4, 1.75)),
    "truck": ((2.2, 2.5), (5.5, 10), (2.8, 3.8)),
    "bus": ((2.4, 2.55), (9, 13), (2.9, 3.2)),
    "train": ((2.3, 2.6), (22, 34), (3.3, 3.7)),
}


def room(name: str) -> float:
    """Maximum length, in metres along the street, that a thing occupies."""
    return _VEHICLES[name][1][1] + 2 if name in _VEHICLES else 3.0


def _draw_vehicle(canvas: Canvas, right: float, ahead: float, *, name: str) -> None:
    """Draws a car, truck, bus or train (a tram), with its near end at the given position."""
    chance = canvas.chance
    width, length, height = (chance.between(*limits) for limits in _VEHICLES[name])
    half = width / 2
    # The long side that the camera sees is at `half`, on either side of the street.
    canvas.move_to(right, ahead, facing=-1 if right > 0 else 1)
    canvas.shadow(-half - 0.15, half + 0.15, -0.25, length, 0.65)
    color, glass = chance.paint(), chance.color((50, 56, 64), spread=14)
    low, high = {"car": (0.22, 0.58 * height), "truck": (0.9, height)}.get(name, (0.25, height))
    if name == "car":
        # The cabin first: the lower body hides its base.
        near, end = 0.12 * length, chance.between(0.6, 0.85) * length
        for inset, part, tint in ((0, name, shade(color, 0.8)), (0.1, None, glass)):
            roof = [(0.88 * half, height - inset, at) for at in (near + inset, end - 0.5)]
            canvas.surface([(half, high, inset), *roof, (half, high, end - inset)], part, tint)
    elif name == "train":
        for rail in (-0.72, 0.72):
            canvas.surface(ground(rail - 0.05, rail + 0.05, 4 - ahead, 0), None, (66, 62, 60))
        canvas.bar([(0, height), (0.6, height + 0.5), (0, height + 1)], 0.05, name, (50, 50, 52))
    canvas.surface(wall(half, 0, length, low, high), name, shade(color, 0.84))
    if name == "truck":
        canvas.surface(wall(half, 0, length, 0.4, low), name, (44, 44, 46))
    elif name != "car":
        for at in places(0.5, length - 1.5, 1.8):
            pane = shade(glass, chance.between(0.8, 1.3))
            canvas.surface(wall(half, at, at + 1.5, 1.35, 2.5), None, pane)
    if name != "train":
        for hub in (0.18 * length, 0.8 * length):
            rim = oval((hub, 0.4), 0.4, 0.4)
            canvas.surface([(half, up, along) for along, up in rim], name, _TYRE)
        for tyre in (0.03 - half, half - 0.3):
            canvas.surface(board(tyre, tyre + 0.27, 0, 0.45), name, _TYRE)
    if name == "car":
        for inset, part, tint in ((0, name, color), (0.1, None, glass)):
            roof = [(side * (0.88 * half - inset), height - inset) for side in (-1, 1)]
            canvas.surface([(inset - half, high), *roof, (half - inset, high)], part, tint)
        canvas.surface(board(-half, half, low, high), name, color)
    else:
        slope = 0.3 * half if name == "train" else 0
        roof = [(slope - half, height), (half - slope, height), (half, height - 2 * slope)]
        corners = [(-half, 0.4), (-half, height - 2 * slope), *roof, (half, 0.4)]
        canvas.surface(corners, name, color)
        if name == "truck" and chance.happens(0.5):
            canvas.surface(board(-0.03, 0.03, low, height), None, shade(color, 0.6))
        else:
            canvas.surface(board(-0.88 * half, 0.88 * half, 1.3, 2.4), None, glass)
        if name == "bus":
            canvas.surface(board(-0.64 * half, 0.64 * half, 2.5, 2.8), None, (24, 22, 20))
            canvas.surface(board(-0.44 * half, 0.4 * half, 2.6, 2.72), None, (240, 160, 40))
    canvas.surface(board(-half, half, 0.4, 0.55), None, shade(color, 0.6))
    lamp = chance.pick((190, 30, 30), (150, 24, 28), (240, 236, 215))
    for left in (0.05 - half, half - 0.3):
        canvas.surface(board(left, left + 0.25, 0.6, 0.8), None, lamp)


def _draw_person(canvas: Canvas, right: float, ahead: float) -> None:
    canvas.move_to(right, ahead)
    canvas.shadow(-0.3, 0.3, -0.15, 0.25, 0.45)
    height, stride = canvas.chance.between(1.1, 1.95), canvas.chance.between(0.02, 0.22)
    _draw_figure(canvas, "person", (0, 0.48 * height), [(-stride, 0), (stride, 0)], 0, height)


def _draw_two_wheeler(
    canvas: Canvas, right: float, ahead: float, *, name: str, ridden: bool = False
) -> None:
    """Draws a bicycle or motorcycle, from the side or along the street, optionally ridden."""
    chance, is_heavy = canvas.chance, name == "motorcycle"
    canvas.move_to(right, ahead, facing=chance.pick(-1, 1))
    canvas.shadow(-0.5, 0.5, -0.15, 0.25, 0.45)
    color, thickness, from_side = chance.paint(), 0.13 if is_heavy else 0.05, chance.happens(0.55)
    if from_side:
        base, radius = (0.68, 0.31) if is_heavy else (0.52, 0.34)
        for hub in (-base, base):
            wheel = oval((hub, radius), radius, radius)
            # As in Cityscapes, gaps between spokes are labelled as wheel; the image shows behind.
            canvas.surface(wheel, name, (70, 70, 74) if is_heavy else None)
            canvas.bar(wheel, thickness, name, _TYRE)
        saddle, grip, crank = (-0.16, 0.92), (0.38, 1.0), (-0.05, 0.3)
        canvas.bar([(-base, radius), saddle, grip, crank, (-base, radius)], 0.05, name, color)
        canvas.bar([(base, radius), grip], 0.07, name, color)
        if is_heavy:
            tank = [(-0.75, 0.72), (-0.1, 0.78), (0.3, 0.95), (0.45, 0.6), (0.25, 0.25)]
            canvas.surface([*tank, (-0.3, 0.25)], name, color)
            canvas.surface(oval((0.02, 0.38), 0.22, 0.16), name, (60, 60, 64))
    else:
        canvas.surface(oval((0, 0.34), thickness, 0.34), name, _TYRE)
        canvas.bar([(-0.28, 0.98), (0.28, 0.98)], 0.05, name, (40, 40, 42))
        canvas.bar([(0, 0.5), (0, 0.98)], 2 * thickness, name, color)
    if ridden:
        lean, reach = (0.16, 0.25) if from_side else (0, 0)
        feet = [(reach - 0.08, 0.25), (reach + 0.1, 0.4)]
        _draw_figure(canvas, "rider", (0, 0.8 if is_heavy else 0.92), feet, lean, 1.72)


def _draw_figure(
    canvas: Canvas, name: str, hip: Point, feet: list[Point], lean: float, height: float
) -> None:
    """Draws legs, trunk, arms and head; `lean` is the shoulders' forward shift per height."""
    chance, (across, up) = canvas.chance, hip
    cloth, trousers = chance.paint(), chance.color((40, 44, 62), (58, 54, 50), spread=24)
    for side, foot in zip((-1, 1), feet, strict=True):
        knee = ((across + foot[0]) / 2 + 0.12 * lean, (up + foot[1]) / 2)
        leg = [(across + 0.04 * side * height, up), knee, foot]
        canvas.bar(leg, 0.085 * height, name, shade(trousers, 1 + 0.1 * side))
    neck, half, top = across + lean * height, 0.115 * height, up + 0.33 * height
    shoulders = [(neck - half, top), (neck + half, top)]
    canvas.surface([*shoulders, (across + 0.7 * half, up), (across - 0.7 * half, up)], name, cloth)
    for side, shoulder in zip((-1, 1), shoulders, strict=True):
        swing = side * chance.between(-0.03, 0.1) + 1.1 * lean
        hand = (shoulder[0] + swing * height, top - 0.33 * height)
        canvas.bar([shoulder, hand], 0.055 * height, name, shade(cloth, 0.85))
    head = neck + 0.3 * lean * height
    skin = chance.color((205, 165, 140), (140, 100, 78), (90, 62, 48), spread=14)
    hair = chance.pick(chance.paint(), (52, 40, 32), (30, 28, 26))
    canvas.surface(oval((head, top + 0.1 * height), 0.058 * height, 0.078 * height), name, skin)
    canvas.surface(oval((head, top + 0.13 * height), 0.06 * height, 0.05 * height), name, hair)


def _draw_tree(canvas: Canvas, right: float, ahead: float) -> None:
    """Draws a trunk and a crown of many clumps."""
    chance, height = canvas.chance, canvas.chance.between(3.5, 9)
    canvas.move_to(right, ahead)
    canvas.bar([(0, 0), (0, 0.62 * height)], 0.28, "vegetation", chance.color((84, 68, 54)))
    leaves = chance.color((70, 96, 48), (92, 108, 52), (56, 78, 50), (128, 104, 56))
    # Fewer clumps if the crown appears small.
    for _ in range(int(min(20, 5 + 0.34 * height * canvas.camera.focal / ahead))):
        angle, reach = chance.between(0, 2 * np.pi), 0.75 * chance.between(0, 1) ** 0.5
        up, radius = float(reach * np.sin(angle)), chance.between(0.08, 0.16) * height
        center = (0.34 * float(reach * np.cos(angle)) * height, (0.62 + 0.36 * up) * height)
        # Lit from above.
        tint = shade(leaves, 1 + 0.33 * up + chance.between(-0.12, 0.12))
        canvas.surface(oval(center, radius, radius), "vegetation", tint)


def _draw_on_pole(canvas: Canvas, right: float, ahead: float, *, name: str) -> None:
    """Draws a street lamp, a traffic light or a traffic sign, with its pole."""
    chance = canvas.chance
    # An arm reaches over the road.
    canvas.move_to(right, ahead, facing=-1 if right > 0 else 1)
    height = chance.between(*{"lamp": (4.5, 8), "traffic light": (2.6, 4.5)}.get(name, (2.0, 3.2)))
    arm = chance.between(0.3, 3) if name == "lamp" or chance.happens(0.25) else 0.0
    metal = chance.color((92, 96, 98), (140, 142, 142), (56, 62, 58))
    canvas.bar([(0, 0), (0, height), (arm, height)], 0.15, "pole", metal)
    if name == "lamp":
        canvas.surface(oval((arm, height), 0.3, 0.12), "pole", shade(metal, 1.2))
    elif name == "traffic light":
        case = chance.color((30, 32, 30), (52, 54, 50), (150, 130, 40), spread=10)
        canvas.surface(board(arm - 0.2, arm + 0.2, height - 0.52, height + 0.52), name, case)
        lit = chance.pick(-1, 0, 1)
        for place, lamp in ((-1, (70, 230, 130)), (0, (245, 190, 50)), (1, (235, 50, 40))):
            tint = lamp if place == lit else shade(lamp, 0.22)
            canvas.surface(oval((arm, height + 0.32 * place), 0.12, 0.12), None, tint)
    else:
        rim, face = chance.pick(
            ((200, 40, 40), (235, 232, 225)),
            ((40, 80, 170), (60, 100, 195)),
            ((235, 232, 225), (240, 190, 50)),
            ((120, 122, 124), (138, 140, 142)),
        )
        triangle = [(-1, -0.8), (0, 1), (1, -0.8)]
        square, wide = board(-1, 1, -1, 1), board(-2.2, 2.2, -1, 1)
        shape = chance.pick(oval((0, 0), 1, 1), triangle, square, wide)
        size, rim, face = chance.between(0.32, 0.48), chance.color(rim), chance.color(face)
        for radius, part, color in ((size, name, rim), (0.7 * size, None, face)):
            corners = [(arm + radius * across, height + radius * up) for across, up in shape]
            canvas.surface(corners, part, color)


DRAW: dict[str, Callable[[Canvas, float, float], None]] = {
    "person": _draw_person,
    "tree": _draw_tree,
    "bicycle": functools.partial(_draw_two_wheeler, name="bicycle"),
    "motorcycle": functools.partial(_draw_two_wheeler, name="motorcycle"),
    "cyclist": functools.partial(_draw_two_wheeler, name="bicycle", ridden=True),
    "motorcyclist": functools.partial(_draw_two_wheeler, name="motorcycle", ridden=True),
    **{name: functools.partial(_draw_vehicle, name=name) for name in _VEHICLES},
    **{
        name: functools.partial(_draw_on_pole, name=name)
        for name in ("lamp", "traffic light", "traffic sign")
    },
}
"""Functions that draw a thing on a canvas, given metres right of the camera and ahead of it."""
