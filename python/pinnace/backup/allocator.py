"""Gives large buffers back to the system as soon as they are free: glibc keeps them, and peaks of threads add up."""

import ctypes

__all__ = ["return_large_blocks"]

_M_MMAP_THRESHOLD = -3
"""Of mallopt(3)."""

_LARGE_BYTES = 128 << 10
"""glibc's own threshold at the start; fixed here, because it grows with each larger block that is freed, up to 32 MiB,
and chunks of responses, gzip members and upload parts then stay in the heaps of several threads: 25 MB of 145."""


def return_large_blocks() -> bool:
    """Fix the threshold for this process; False where the C library is none that can."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES))
