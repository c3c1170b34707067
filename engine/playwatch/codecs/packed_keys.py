"""The keys of packed payloads: read once, then known by their bytes or by a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from msgspec import Raw, Struct, msgpack
from numpy.typing import NDArray

from playwatch.core.intake import REFUSED
from playwatch.core.key_tables import GIVEN_UP, code_of
from playwatch.core.refusals import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwatch.core.intake import Intake
    from playwatch.core.key_tables import KeyTable

MAX_KEYS: Final = 100_000
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
_COLUMN: Final = "packed keys"

Rows = NDArray[np.int32]
Faults = dict[int, Refused]


class _Key(Struct, gc=False):
    metric: str
    dimensions: dict[str, str | int | float | bool | None] | None = None


_KEYS: Final = msgpack.Decoder(list[Raw])
_KEY: Final = msgpack.Decoder(_Key)


def rows_of(keys: bytes, intake: Intake) -> tuple[NDArray[np.int32], Faults]:
    """Return the row of each key, and what is wrong with those that have none.

    Raises
    ------
    Refused
        If they are no array, or too many.
    """
    known = intake.spellings.find_column(_COLUMN, keys)
    if known is not None:
        # Whoever writes them a second time will write them again.
        intake.spellings.blocks.learn(keys, known)
        return known, {}
    raws = _listed(keys)
    rows = np.full(len(raws), REFUSED, np.int32)
    faults = _fill(rows, raws, range(len(raws)), intake)
    if not faults:
        intake.spellings.learn_column(_COLUMN, keys, rows)
    return rows, faults


def learn(source: str, name: str, keys: bytes, intake: Intake) -> tuple[KeyTable, Faults]:
    """Keep the keys of a table; return it, and what is wrong with some of them.

    Raises
    ------
    Refused
        If they are no array, or too many; an earlier table of that name stays.

    Notes
    -----
    O(1) apart from memory speed for the bytes that it has already; the keys
    that were refused then are asked again.
    """
    mark = len(keys), hash(keys)
    known = intake.tables.find(source, name)
    if known is not None and known.mark == mark:
        if not known.has_refused:
            return known, {}
        rows = known.rows.copy()
        asked = np.flatnonzero((rows < 0) & (rows != GIVEN_UP)).tolist()
        faults = _fill(rows, _listed(keys), asked, intake)
        given_up = known.given_up
    else:
        given_up = {}
        raws = _listed(keys)
        rows = np.full(len(raws), REFUSED, np.int32)
        faults = _fill(rows, raws, range(len(raws)), intake)
    for number, refused in faults.items():
        rows[number] = code_of(refused.reason)
    return intake.tables.learn(source, name, rows, mark, given_up), faults


def revive(
    table: KeyTable, named: tuple[str, str], numbers: Iterable[int], intake: Intake
) -> tuple[Rows, Faults]:
    """Make rows for keys of a table whose rows were given up.

    Returns
    -------
    (keys,) array of int32
        The rows of the whole table, as it is from now on.
    dict of int to Refused
        What is wrong with those that have none.
    """
    rows, given_up = table.rows.copy(), dict(table.given_up)
    faults: Faults = {}
    for number in numbers:
        try:
            rows[number] = intake.spellings.intern(*given_up[number])
            del given_up[number]
        except Refused as refused:
            faults[number] = refused
    return intake.tables.learn(*named, rows, table.mark, given_up).rows, faults


def _listed(keys: bytes) -> list[Raw]:
    try:
        raws = _KEYS.decode(keys)
    except UNREADABLE as error:
        raise Refused(Reason.WRONG_TYPE, f"keys: {error}") from None
    if len(raws) > MAX_KEYS:
        raise Refused(Reason.TOO_LARGE, f"{len(raws)} keys, at most {MAX_KEYS} are read")
    return raws


def _fill(
    rows: NDArray[np.int32], raws: list[Raw], numbers: Iterable[int], intake: Intake
) -> Faults:
    """Put the row of each of these keys in its place."""
    faults: Faults = {}
    for number in numbers:
        try:
            rows[number] = _row(bytes(raws[number]), intake)
        except Refused as refused:
            faults[number] = refused
    return faults


def _row(raw: bytes, intake: Intake) -> int:
    try:
        key = _KEY.decode(raw)
    except UNREADABLE as error:
        raise Refused(Reason.WRONG_TYPE, f"key: {error}") from None
    return intake.spellings.row_of(key.metric, key.dimensions or {})
