"""Textured objects that move, turn, deform and change their colours, for generated sequences."""

import dataclasses
import math
from typing import Self

import numpy as np
from scipy import ndimage

Size = tuple[int, int]

_TEXTURE_SIDE = 96
_HARMONICS = 4
# Largest deviation of an outline from a circle.
_UNEVENNESS = 0.35


@dataclasses.dataclass(frozen=True)
class MovingObject:
    """An object and its motion; frames are counted from 0.

    Attributes:
        texture: Colours of the unit square that circumscribes it, `(side, side, 3)` float32.
        radius: Mean radius in pixels.
        stretch: Length of its first axis over that of the second.
        amplitudes: Amplitudes of the outline's harmonics, as shares of the radius.
        phases: Phases of these harmonics at frame 0.
        phase_speeds: Change of these phases per frame, which deforms the outline.
        start: Row and column of the centre at frame 0, if within the margins of a tenth.
        velocity: Its change per frame in pixels, until it meets a margin and turns back.
        angle: Rotation at frame 0.
        turn: Rotation per frame.
        growth: Amplitude of the change of size, as a share.
        growth_speed: Phase of this change per frame.
        gains: Factors of red, green and blue that the last frame reaches.
    """

    texture: np.ndarray
    radius: float
    stretch: float
    amplitudes: np.ndarray
    phases: np.ndarray
    phase_speeds: np.ndarray
    start: tuple[float, float]
    velocity: tuple[float, float]
    angle: float
    turn: float
    growth: float
    growth_speed: float
    gains: np.ndarray

    @classmethod
    def drawn_by(cls, rng: np.random.Generator, size: Size) -> Self:
        """A random object for frames of `size`."""
        height, width = size
        side = min(height, width)
        amplitudes = rng.uniform(-1, 1, _HARMONICS) / np.arange(1, _HARMONICS + 1)
        amplitudes *= rng.uniform(0, _UNEVENNESS) / max(np.abs(amplitudes).sum(), 1e-6)
        speed, direction = side * rng.uniform(0.01, 0.045), rng.uniform(0, 2 * math.pi)
        return cls(
            texture=random_texture(rng),
            radius=side * rng.uniform(0.12, 0.24),
            stretch=rng.uniform(1.0, 1.7),
            amplitudes=amplitudes,
            phases=rng.uniform(0, 2 * math.pi, _HARMONICS),
            phase_speeds=rng.uniform(-0.12, 0.12, _HARMONICS),
            start=(height * rng.uniform(0.2, 0.8), width * rng.uniform(0.15, 0.85)),
            velocity=(0.6 * speed * math.sin(direction), speed * math.cos(direction)),
            angle=rng.uniform(0, 2 * math.pi),
            turn=rng.uniform(-0.06, 0.06),
            growth=rng.uniform(0, 0.2),
            growth_speed=rng.uniform(0.1, 0.3),
            gains=rng.uniform(0.75, 1.25) * rng.uniform(0.9, 1.1, 3),
        )

    def draw(self, image: np.ndarray, ids: np.ndarray, number: int, frame: int, last: int) -> None:
        """Draws the object over everything drawn before.

        Args:
            image: `(height, width, 3)` float32 in [0, 255], changed in place.
            ids: `(height, width)` uint8, changed in place: `number` where the object covers more
                than half of a pixel.
            number: Id of the object.
            frame: Frame to draw.
            last: Number of the last frame of the sequence.
        """
        height, width = ids.shape
        radius = self.radius * (1 + self.growth * math.sin(self.growth_speed * frame))
        center = tuple(
            reflected(start + frame * speed, 0.1 * side, 0.9 * side)
            for start, speed, side in zip(self.start, self.velocity, ids.shape, strict=True)
        )
        reach = radius * self.stretch * (1 + _UNEVENNESS) + 2
        top, left = (max(0, math.floor(each - reach)) for each in center)
        bottom = min(height, math.ceil(center[0] + reach))
        right = min(width, math.ceil(center[1] + reach))
        if bottom <= top or right <= left:
            return
        down, across = np.mgrid[top:bottom, left:right].astype(np.float32)
        down, across = down + 0.5 - center[0], across + 0.5 - center[1]
        sine, cosine = (f(self.angle + self.turn * frame) for f in (math.sin, math.cos))
        first = (cosine * across + sine * down) / self.stretch
        second = cosine * down - sine * across
        distance, bearing = np.hypot(first, second), np.arctan2(second, first)
        outline = np.ones_like(bearing)
        phases = self.phases + frame * self.phase_speeds
        for order, (amplitude, phase) in enumerate(zip(self.amplitudes, phases, strict=True), 2):
            outline += amplitude * np.cos(order * bearing + phase)
        cover = np.clip(radius * outline - distance + 0.5, 0, 1)
        places = [
            np.clip(0.5 + each / (2 * radius * (1 + _UNEVENNESS)), 0, 1) * (_TEXTURE_SIDE - 1)
            for each in (second, first)
        ]
        colors = np.stack(
            [
                ndimage.map_coordinates(self.texture[..., channel], places, order=1)
                for channel in range(3)
            ],
            axis=-1,
        )
        colors *= 1 + (self.gains - 1) * frame / max(last, 1)
        # A light from above.
        colors *= (1 - 0.2 * np.clip(down / reach, -1, 1))[..., None]
        area = image[top:bottom, left:right]
        area += cover[..., None] * (np.clip(colors, 0, 255) - area)
        ids[top:bottom, left:right][cover > 0.5] = number


def reflected(value: float, low: float, high: float) -> float:
    """`value` if it is between the bounds, else its mirror image at the bound, repeatedly."""
    span = high - low
    place = (value - low) % (2 * span)
    return low + min(place, 2 * span - place)


def random_texture(rng: np.random.Generator) -> np.ndarray:
    """Stripes, checks, spots or clouds of two random colours, `(side, side, 3)` float32."""
    rows, columns = np.mgrid[0:_TEXTURE_SIDE, 0:_TEXTURE_SIDE].astype(np.float32)
    period, phase = rng.uniform(10, 36), rng.uniform(0, 2 * math.pi, 2)
    kind = rng.integers(4)
    if kind == 0:
        pattern = np.sin(2 * math.pi * rows / period + phase[0])
    elif kind == 1:
        pattern = np.sin(2 * math.pi * rows / period + phase[0]) * np.sin(
            2 * math.pi * columns / period + phase[1]
        )
    elif kind == 2:
        pattern = smooth_noise(rng, (_TEXTURE_SIDE, _TEXTURE_SIDE), period / 3)
    else:
        pattern = smooth_noise(rng, (_TEXTURE_SIDE, _TEXTURE_SIDE), period / 1.5)
    share = 1 / (1 + np.exp(-rng.uniform(2, 8) * pattern))
    colors = rng.uniform(20, 235, (2, 3))
    texture = colors[0] + share[..., None] * (colors[1] - colors[0])
    grain = smooth_noise(rng, (_TEXTURE_SIDE, _TEXTURE_SIDE), 1.0)
    return (texture + 8 * grain[..., None]).astype(np.float32)


def smooth_noise(rng: np.random.Generator, size: Size, spread: float) -> np.ndarray:
    """Gaussian noise of `size` with features of about `spread` pixels, of unit variance."""
    noise = ndimage.gaussian_filter(rng.standard_normal(size).astype(np.float32), spread)
    return noise / max(float(noise.std()), 1e-6)
