"""Uniform noise that a test chooses in place of random one."""

import itertools


def with_noise(architecture, noise):
    """`architecture`, which from now on samples by three arrays that it repeats."""
    arrays = itertools.cycle(noise)
    architecture._noise = lambda shape: next(arrays)
    return architecture
