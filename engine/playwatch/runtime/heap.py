"""The heap of the C library, which by itself keeps what growing columns leave behind."""

from __future__ import annotations

import ctypes
from typing import Final

LARGE_BYTES: Final = 256 * 1024

_M_MMAP_THRESHOLD: Final = -3


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
