"""Gives freed memory back to the system while a supernet is trained."""

import contextlib
import ctypes
from collections.abc import Iterator

_M_MMAP_THRESHOLD = -3  # <malloc.h>
_M_ARENA_MAX = -8  # glibc keeps it for the life of the process.
_SMALLEST_RETURNED = 16 * 1024**2
_LARGEST_THRESHOLD = 32 * 1024**2


@contextlib.contextmanager
def returned_to_system() -> Iterator[None]:
    """Makes glibc return blocks of 16 MiB and more as soon as they are freed.

    A step allocates and frees gigabytes of gradients in blocks of many sizes; kept for reuse, they
    fragment and the process grows from step to step. A threshold of 4 MiB would save no more and
    make a step slower. Smaller blocks come from one arena from now on, also after the block:
    with one a thread, a search at full size grew by .3 GB a step. Elsewhere than on glibc this
    does nothing. TensorFlow on x86 takes part only if
    `TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1` is in the environment before its import, as the tools do.
    """
    mallopt = _mallopt()
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _SMALLEST_RETURNED)
        mallopt(_M_ARENA_MAX, 1)
    try:
        yield
    finally:
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGEST_THRESHOLD)


def _mallopt():
    try:
        return ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return None
