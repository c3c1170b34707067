"""Key blocks: whole lists of keys as they were written, found in a payload by their bytes.

A publisher that names its keys in every message writes the same bytes each
time. They are compared with what it wrote before, at the speed of memory,
instead of being read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_BYTES: Final = 2 * 1024 * 1024
"""Some 30,000 keys. More of them in every message had better be a key table."""
MOST_ALIKE: Final = 8
"""Blocks that begin alike and are held against a payload one after the other."""

_HEAD: Final = 64
_PATIENCE: Final = 64


class _Block(NamedTuple):
    spelling: bytes
    rows: NDArray[np.int32]


class KeyBlocks:
    """Remembers blocks with the rows of their keys.

    Parameters
    ----------
    limit_bytes
        How many bytes of blocks are kept. Others find no room then; after 64 of
        these all begin anew, for publishers change their keys.

    Notes
    -----
    A look-up compares up to `MOST_ALIKE` blocks, the one found last first; two
    that differ early cost nothing.
    """

    def __init__(self, limit_bytes: int = MOST_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = self._refused = 0
        self._alike: dict[bytes, list[_Block]] = {}

    def find(self, payload: bytes, start: int) -> tuple[NDArray[np.int32], int] | None:
        """Return the rows of the block that stands at a place, and where it ends.

        Returns
        -------
        (n,) array of int32, and int
            None when what stands there is not known. No block is the beginning
            of another one, for a list says how long it is.
        """
        blocks = self._alike.get(payload[start : start + _HEAD])
        for number, block in enumerate(blocks or ()):
            if payload.startswith(block.spelling, start):
                if blocks and number:
                    blocks.insert(0, blocks.pop(number))
                return block.rows, start + len(block.spelling)
        return None

    def learn(self, spelling: bytes, rows: NDArray[np.int32]) -> None:
        """Remember a block; its rows must not be changed later."""
        size = len(spelling)
        if not _HEAD <= size <= self._limit_bytes // 2:
            return
        if self._bytes + size > self._limit_bytes:
            self._refused += 1
            if self._refused < _PATIENCE:
                return
            self._alike.clear()
            self._bytes = self._refused = 0
        blocks = self._alike.setdefault(spelling[:_HEAD], [])
        if any(spelling == block.spelling for block in blocks):
            return
        blocks.insert(0, _Block(spelling, rows))
        self._bytes += size
        if len(blocks) > MOST_ALIKE:
            self._bytes -= len(blocks.pop().spelling)

    def forget(self, is_given_up: NDArray[np.bool_]) -> None:
        """Forget blocks with a key whose row is given up, a mask by row; 2 ns a key."""
        for head, blocks in list(self._alike.items()):
            kept = [one for one in blocks if not (is_given_up[one.rows] & (one.rows >= 0)).any()]
            self._bytes -= sum(len(one.spelling) for one in blocks)
            self._bytes += sum(len(one.spelling) for one in kept)
            if kept:
                self._alike[head] = kept
            else:
                del self._alike[head]
