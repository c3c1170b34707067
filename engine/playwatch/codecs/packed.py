"""The packed format: MessagePack, with numbers as columns of bytes.

For collectors that send many series at once. A payload is a map of

``keys``
    the series, an array of ``{"metric": "…", "dimensions": {…}}``;
``value``
    float64, little-endian, one for each sample, as binary;
``key``
    uint32, little-endian: which of the keys each sample is of. May be left
    out where there is one sample for each key, in their order;
``at``
    int64, little-endian, milliseconds since the epoch; or one integer for all;
    or left out, which is the time of arrival;
``views``
    int64, little-endian; or one integer for all; 1 where left out;
``source``, ``seq``
    as in the native format.

Other fields are ignored. A publisher that sends the same keys in the same bytes
each time costs next to nothing: the table is read once and then known by its
bytes. `encode` writes the format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import numpy as np
from msgspec import Raw, Struct, msgpack

from playwatch.codecs.fields import Seq, Source, Views  # noqa: TC001 - msgspec reads them
from playwatch.core.intake import REFUSED
from playwatch.core.refusals import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from playwatch.core.intake import Intake

MAX_SAMPLES: Final = 100_000
MAX_VIEWS: Final = 10**12
FIRST_AT: Final = 10**10
"""Ten digits are seconds."""

_Number = TypeVar("_Number", np.float64, np.int64, np.uint32)

_TABLE: Final = "packed keys"
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)


class _Message(Struct, gc=False):
    keys: Raw
    value: bytes
    key: bytes | None = None
    at: bytes | int | None = None
    views: bytes | Views = 1
    source: Source = None
    seq: Seq = None


class _Key(Struct, gc=False):
    metric: str
    dimensions: dict[str, str | int | float | bool | None] | None = None


_MESSAGE: Final = msgpack.Decoder(_Message)
_KEYS: Final = msgpack.Decoder(list[Raw])
_KEY: Final = msgpack.Decoder(_Key)


def decode(payload: bytes, intake: Intake) -> None:
    """Put the samples of a payload into the intake, with a reason for each bad one.

    Parameters
    ----------
    payload
        MessagePack; see the module.
    intake
        After `Intake.message`.

    Notes
    -----
    Never raises. O(1) for a table of keys met before, apart from memory speed.
    """
    if len(payload) > intake.max_bytes:
        detail = f"{len(payload)} bytes, at most {intake.max_bytes} are read"
        intake.refuse(Refused(Reason.TOO_LARGE, detail))
        return
    try:
        _decode(_message(payload), intake)
    except Refused as refused:
        intake.refuse(refused)


def encode(
    keys: Sequence[tuple[str, Mapping[str, str]]],
    value: NDArray[np.float64],
    *,
    key: NDArray[np.uint32] | None = None,
    at: NDArray[np.int64] | int | None = None,
    views: NDArray[np.int64] | int = 1,
    source: str | None = None,
    seq: int | None = None,
) -> bytes:
    """Return samples as a packed payload.

    Parameters
    ----------
    keys
        Metric and dimensions of each series.
    value
        Shape ``(n,)``.
    key
        Which series each sample is of, shape ``(n,)``; None for one of each.
    at, views
        One for each sample, or one for all.
    """
    columns = {
        "key": (key, "<u4"),
        "value": (value, "<f8"),
        "at": (at, "<i8"),
        "views": (views, "<i8"),
    }
    message: dict[str, object] = {
        "keys": [{"metric": metric, "dimensions": dict(names)} for metric, names in keys]
    }
    for name, (column, kind) in columns.items():
        if isinstance(column, np.ndarray):
            message[name] = np.ascontiguousarray(column, kind).tobytes()
        elif column is not None:
            message[name] = column
    if source is not None:
        message["source"] = source
        message |= {} if seq is None else {"seq": seq}
    return msgpack.encode(message)


def _message(payload: bytes) -> _Message:
    try:
        return _MESSAGE.decode(payload)
    except msgspec.ValidationError as error:
        is_missing = "missing required field" in str(error)
        reason = Reason.MISSING_FIELD if is_missing else Reason.WRONG_TYPE
        raise Refused(reason, f"payload: {error}") from None
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, "payload: nested too deeply") from None
    except UnicodeDecodeError as error:
        raise Refused(Reason.INVALID_UTF8, f"payload: {error.reason}") from None
    except _UNREADABLE as error:
        raise Refused(Reason.MALFORMED, f"payload: {error}") from None


def _decode(message: _Message, intake: Intake) -> None:
    value = _column("value", message.value, np.float64, None)
    n = len(value)
    if n > MAX_SAMPLES:
        raise Refused(Reason.TOO_LARGE, f"{n} samples, at most {MAX_SAMPLES} are read")
    at, views = message.at, message.views
    ats = _column("at", at, np.int64, n) if isinstance(at, bytes) else at
    weights = _column("views", views, np.int64, n) if isinstance(views, bytes) else views
    if ats is not None and np.any(np.asarray(ats) < FIRST_AT):
        raise Refused(Reason.BAD_TIME, "at: not milliseconds (seconds?)")
    which = None if message.key is None else _column("key", message.key, np.uint32, n)
    if message.source is not None:
        intake.hear(message.source)
        if message.seq is not None and not intake.admit(message.source, message.seq, n):
            return
    table, faults = _rows(bytes(message.keys), intake)
    which = np.arange(n, dtype=np.uint32) if which is None else which
    if n and int(which.max()) >= len(table):
        raise Refused(Reason.MALFORMED, f"key {which.max()} of {len(table)} keys")
    rows = table[which]
    if faults:
        for offset in np.flatnonzero(rows == REFUSED).tolist():
            intake.refuse(faults[int(which[offset])], offset)
    if isinstance(weights, np.ndarray):
        is_odd = (weights < 0) | (weights > MAX_VIEWS)
        for offset in np.flatnonzero(is_odd & (rows != REFUSED)).tolist():
            detail = f"views: {weights[offset]} is not in 0 to {MAX_VIEWS}"
            intake.refuse(Refused(Reason.OUT_OF_RANGE, detail), offset)
        rows = np.where(is_odd, np.int32(REFUSED), rows)
    intake.add_columns(rows, ats, value, weights)


def _column(name: str, raw: bytes, kind: type[_Number], n: int | None) -> NDArray[_Number]:
    """Return bytes as numbers of this machine; refuse another length."""
    little = np.dtype(kind).newbyteorder("<")
    if len(raw) % little.itemsize or (n is not None and len(raw) != n * little.itemsize):
        each = little.itemsize
        expected = f"a multiple of {each}" if n is None else f"{n} times {each}"
        raise Refused(Reason.MALFORMED, f"{name} has {len(raw)} bytes, not {expected}")
    return np.frombuffer(raw, little).astype(kind, copy=False)


def _rows(table: bytes, intake: Intake) -> tuple[NDArray[np.int32], dict[int, Refused]]:
    """Return the row of each key, and what is wrong with those that have none."""
    known = intake.spellings.find_column(_TABLE, table)
    if known is not None:
        return known, {}
    try:
        raws = _KEYS.decode(table)
    except _UNREADABLE as error:
        raise Refused(Reason.WRONG_TYPE, f"keys: {error}") from None
    rows = np.full(len(raws), REFUSED, np.int32)
    faults: dict[int, Refused] = {}
    for number, raw in enumerate(raws):
        try:
            rows[number] = _row(bytes(raw), intake)
        except Refused as refused:
            faults[number] = refused
    if not faults:
        intake.spellings.learn_column(_TABLE, table, rows)
    return rows, faults


def _row(raw: bytes, intake: Intake) -> int:
    try:
        key = _KEY.decode(raw)
    except _UNREADABLE as error:
        raise Refused(Reason.WRONG_TYPE, f"key: {error}") from None
    return intake.spellings.row_of(key.metric, key.dimensions or {})
