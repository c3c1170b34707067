"""Blocks of history: one-minute samples of neighbouring series, as compressed columns.

A block holds rows of (series, minute, value, views) sorted by series and
minute. Each column is written byte by byte position (all first bytes, then all
second ones), which zlib packs to a third of what it makes of plain floats.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from playwatch.core.metrics import Merge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PART: Final = 256
"""Series of neighbouring ids that share their blocks: few enough to read one cheaply."""

_LEVEL: Final = 1
_HEAD: Final = struct.Struct("<BIq")
_VERSION: Final = 1
_SPAN: Final = 1 << 16
_MOST_VIEWS: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One-minute samples as columns of one length.

    Attributes
    ----------
    series
        Ids of the history, int32.
    minute
        Minutes since the epoch, int64.
    value
        In the metric's unit, float32.
    views
        Its weight, int32; less than none takes back what an earlier row said.
    """

    series: NDArray[np.int32]
    minute: NDArray[np.int64]
    value: NDArray[np.float32]
    views: NDArray[np.int32]

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.series)

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> Rows:
        """Return the rows that a mask or an index picks."""
        return Rows(self.series[index], self.minute[index], self.value[index], self.views[index])

    @staticmethod
    def of(series: object, minute: object, value: object, views: object) -> Rows:
        """Return rows made of four array-likes of one length."""
        weight = np.clip(np.asarray(views, np.float64), -_MOST_VIEWS, _MOST_VIEWS)
        return Rows(
            np.asarray(series, np.int32),
            np.asarray(minute, np.int64),
            np.asarray(value, np.float64).astype(np.float32),
            weight.astype(np.int32),
        )


def joined(parts: Sequence[Rows]) -> Rows:
    """Return rows one after the other."""
    if not parts:
        return Rows.of([], [], [], [])
    return Rows(
        np.concatenate([one.series for one in parts]),
        np.concatenate([one.minute for one in parts]),
        np.concatenate([one.value for one in parts]),
        np.concatenate([one.views for one in parts]),
    )


def pack(rows: Rows) -> bytes:
    """Return rows of one part as a block.

    Raises
    ------
    ValueError
        If they are of several parts, or of more than 65,536 minutes.
    """
    first = int(rows.minute.min()) if len(rows) else 0
    part = rows.series // PART
    offsets = rows.minute - first
    if len(rows) and (part.min() != part.max() or offsets.max() >= _SPAN):
        message = "a block holds one part and 65,536 minutes at most"
        raise ValueError(message)
    order = np.lexsort((rows.minute, rows.series))
    columns = (
        (rows.series % PART)[order].astype(np.uint8),
        offsets[order].astype("<u2"),
        rows.value[order].astype("<f4"),
        rows.views[order].astype("<i4"),
    )
    body = b"".join(_turned(column) for column in columns)
    return _HEAD.pack(_VERSION, len(rows), first) + zlib.compress(body, _LEVEL)


def unpack(block: bytes, part: int) -> Rows:
    """Return the rows of a block.

    Raises
    ------
    ValueError
        If it is no block, or damaged.
    """
    try:
        version, count, first = _HEAD.unpack_from(block)
        body = zlib.decompress(block[_HEAD.size :])
    except (struct.error, zlib.error) as error:
        message = f"not a block of history: {error}"
        raise ValueError(message) from None
    if version != _VERSION or len(body) != count * 11:
        message = "not a block of history, or one of another version"
        raise ValueError(message)
    return Rows(
        _column(body, 0, count, "u1").astype(np.int32) + part * PART,
        _column(body, count, count, "<u2").astype(np.int64) + first,
        _column(body, 3 * count, count, "<f4").astype(np.float32),
        _column(body, 7 * count, count, "<i4").astype(np.int32),
    )


def _turned(column: NDArray[np.generic]) -> bytes:
    size = column.dtype.itemsize
    return np.ascontiguousarray(column.view(np.uint8).reshape(-1, size).T).tobytes()


def _column(body: bytes, start: int, count: int, kind: str) -> NDArray[np.generic]:
    size = np.dtype(kind).itemsize
    raw = np.frombuffer(body, np.uint8, count * size, start).reshape(size, count)
    return np.ascontiguousarray(raw.T).reshape(-1).view(kind)


def merged(rows: Rows, merge: Merge) -> Rows:
    """Return one row per series and minute, sorted by both.

    Parameters
    ----------
    rows
        In the order they were written.
    merge
        How the values of one series merge: a mean weighted by views, a sum, or
        the one that was written last.

    Notes
    -----
    A mean without any views is left out: it says nothing.
    """
    if not len(rows):
        return rows
    order = np.lexsort((rows.minute, rows.series))
    rows = rows.take(order)
    is_new = np.r_[True, (np.diff(rows.series) != 0) | (np.diff(rows.minute) != 0)]
    first = np.flatnonzero(is_new)
    views = np.add.reduceat(rows.views.astype(np.float64), first)
    if merge is Merge.LATEST:
        last = np.r_[first[1:], len(rows)] - 1
        return Rows.of(rows.series[first], rows.minute[first], rows.value[last], rows.views[last])
    wide = rows.value.astype(np.float64)
    if merge is Merge.SUM:
        value = np.add.reduceat(wide, first)
        return Rows.of(rows.series[first], rows.minute[first], value, views)
    total = np.add.reduceat(wide * rows.views, first)
    has_views = views > 0
    value = total[has_views] / views[has_views]
    kept = first[has_views]
    return Rows.of(rows.series[kept], rows.minute[kept], value, views[has_views])
