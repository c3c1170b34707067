"""The two heaps: the C library's, and Python's, which is searched for garbage."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

LARGE_BYTES: Final = 256 * 1024

_M_MMAP_THRESHOLD: Final = -3
_YOUNG: Final = 10_000
"""New objects before the next search for garbage among them; 700 in Python."""


def give_back_large_blocks(large_bytes: int = LARGE_BYTES) -> bool:
    """Have large blocks given back to the system as soon as they are free.

    Returns
    -------
    bool
        False where the C library is not glibc, and nothing has changed.

    Notes
    -----
    glibc does so for blocks of 128 KiB, until the first larger one is freed;
    then it keeps blocks of up to that size, at most 32 MiB. Columns grow by a
    quarter each time, and the names of series settle between the holes that
    the smaller columns leave, which are never filled again.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(set_option(_M_MMAP_THRESHOLD, large_bytes))


def spare_what_stays(young: int = _YOUNG) -> None:
    """Leave what exists now out of every later search for garbage, and search less often.

    Notes
    -----
    Modules, types and the configuration stay until the end: some 200,000
    objects, which took 40 ms to search, in the middle of a storm. Hardly
    anything here refers to itself in a circle, so little is found.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young)
