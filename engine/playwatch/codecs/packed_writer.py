"""Writing packed payloads; `playwatch.codecs.packed` describes them."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from msgspec import msgpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Keys = Sequence[tuple[str, Mapping[str, str]]]


def name_of(keys: Keys) -> str:
    """Return a name for a table that other keys do not get."""
    return blake2b(msgpack.encode(_listed(keys)), digest_size=8).hexdigest()


def encode(
    keys: Keys | None,
    value: NDArray[np.float64] | None = None,
    *,
    key: NDArray[np.uint32] | None = None,
    at: NDArray[np.int64] | int | None = None,
    views: NDArray[np.int64] | int = 1,
    source: str | None = None,
    seq: int | None = None,
    table: str | None = None,
) -> bytes:
    """Return samples as a packed payload.

    Parameters
    ----------
    keys
        Metric and dimensions of each series; None for those of the table.
    value
        Shape ``(n,)``; None only announces the table.
    key
        Which series each sample is of, shape ``(n,)``; None for one of each.
    at, views
        One for each sample, or one for all.
    source, seq
        Who sends it, and its number.
    table
        The name of the keys at this source.
    """
    columns = {
        "key": (key, "<u4"),
        "value": (value, "<f8"),
        "at": (at, "<i8"),
        "views": (None if value is None else views, "<i8"),
    }
    message: dict[str, object] = {} if keys is None else {"keys": _listed(keys)}
    for name, (column, kind) in columns.items():
        if isinstance(column, np.ndarray):
            message[name] = np.ascontiguousarray(column, kind).tobytes()
        elif column is not None:
            message[name] = column
    named = {"table": table, "source": source, "seq": seq}
    message |= {name: each for name, each in named.items() if each is not None}
    return msgpack.encode(message)


def _listed(keys: Keys) -> list[dict[str, object]]:
    return [{"metric": metric, "dimensions": dict(names)} for metric, names in keys]
