"""Return of freed memory to the system while a supernet is trained."""

import contextlib
import ctypes
from collections.abc import Iterator

_M_MMAP_THRESHOLD = -3  # <malloc.h>
_M_ARENA_MAX = -8  # glibc keeps this setting until the process ends.
_SMALLEST_RETURNED = 16 * 1024**2
_LARGEST_THRESHOLD = 32 * 1024**2


@contextlib.contextmanager
def returned_to_system() -> Iterator[None]:
    """Makes glibc return blocks of at least 16 MiB as soon as they are freed.

    A step allocates and frees gigabytes of gradients in blocks of many sizes. If kept for reuse,
    they fragment, and the process grows with every step. A threshold of 4 MiB saves no more and
    makes steps slower. Smaller blocks come from a single arena, even after this context ends: with
    one arena per thread, a search at full size grew by .3 GB per step.

    Without glibc this does nothing. On x86 it affects TensorFlow only if
    `TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1` is set before TensorFlow is imported, as the tools do.
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
