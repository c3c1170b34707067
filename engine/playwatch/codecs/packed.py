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
    as in the native format;
``table``
    a name of 1 to 64 characters that the source gives to these keys.

Other fields are ignored.

Keys are most of a payload, and the same each time. Those that come first, in
the bytes that the last message had, are compared instead of read. And a source
may name them once and speak of them by the name: a message with ``source``, ``table`` and
``keys`` announces a table, with samples or without ``value``; a message with
``source`` and ``table`` alone is about the keys announced last under that
name. One that names a table never announced is refused (``unknown_table``).

The engine keeps 1,024 tables over restarts, those used last; it may forget,
and it may be new. So announce **retained**, on a topic of its own for each
source below a packed subscription, such as ``playwatch/samples/keys/edge-1``:
the broker then hands the table to every engine that subscribes. Announce again
each minute; it costs next to nothing. Of a retained message only the keys are
read. Give other keys another name, as `packed_writer.name_of` does: a message that is
delivered late must not be about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Raw, Struct, msgpack

from playwatch.codecs import packed_keys
from playwatch.codecs.fields import Seq, Source, Views  # noqa: TC001 - msgspec reads them
from playwatch.codecs.packed_keys import UNREADABLE, Faults
from playwatch.core.intake import REFUSED
from playwatch.core.key_tables import GIVEN_UP, reason_of
from playwatch.core.refusals import Reason, Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from playwatch.core.intake import Intake

MAX_SAMPLES: Final = 100_000
MAX_VIEWS: Final = 10**12
FIRST_AT: Final = 10**10
"""Ten digits are seconds."""

_MAPS: Final = range(0x81, 0x90)
_KEYS: Final = b"\xa4keys"

_Number = TypeVar("_Number", np.float64, np.int64, np.uint32)


class _Message(Struct, gc=False):
    keys: Raw = Raw()
    table: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    value: bytes | None = None
    key: bytes | None = None
    at: bytes | int | None = None
    views: bytes | Views = 1
    source: Source = None
    seq: Seq = None


_MESSAGE: Final = msgpack.Decoder(_Message)


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
    Never raises. O(1) for keys met before, apart from memory speed.
    """
    try:
        known = _recognised(payload, intake)
        message, rows = known or (_message(payload, intake.max_bytes), None)
        _decode(message, rows, intake)
    except Refused as refused:
        intake.refuse(refused)


def decode_keys(payload: bytes, intake: Intake) -> None:
    """Keep the table that a retained payload announces; its samples are old.

    Parameters
    ----------
    payload
        MessagePack; see the module.
    intake
        After `Intake.message`.

    Notes
    -----
    Never raises. A payload that announces nothing is ignored.
    """
    intake.pass_over()
    try:
        message = _message(payload, intake.max_bytes)
        if message.keys and message.table is not None:
            _announced(_table_of(message), bytes(message.keys), intake)
    except Refused as refused:
        intake.refuse(refused)


def _recognised(payload: bytes, intake: Intake) -> tuple[_Message, NDArray[np.int32]] | None:
    """Return a message without its keys, and their rows, where these bytes were read before.

    Reading past ten thousand keys costs ten times as much as comparing their bytes.
    """
    if not payload.startswith(_KEYS, 1) or payload[0] not in _MAPS:
        return None
    found = intake.spellings.blocks.find(payload, 1 + len(_KEYS))
    if found is None or len(payload) > intake.max_bytes:
        return None
    rows, end = found
    try:
        message = _MESSAGE.decode(bytes((payload[0] - 1,)) + payload[end:])
    except UNREADABLE:
        return None
    return None if message.keys or message.table is not None else (message, rows)


def _message(payload: bytes, max_bytes: int) -> _Message:
    if len(payload) > max_bytes:
        detail = f"{len(payload)} bytes, at most {max_bytes} are read"
        raise Refused(Reason.TOO_LARGE, detail)
    try:
        return _MESSAGE.decode(payload)
    except msgspec.ValidationError as error:
        raise Refused(Reason.WRONG_TYPE, f"payload: {error}") from None
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, "payload: nested too deeply") from None
    except UnicodeDecodeError as error:
        raise Refused(Reason.INVALID_UTF8, f"payload: {error.reason}") from None
    except UNREADABLE as error:
        raise Refused(Reason.MALFORMED, f"payload: {error}") from None


def _decode(message: _Message, known: NDArray[np.int32] | None, intake: Intake) -> None:
    """Take the samples of a message, whose keys may be known already."""
    if message.value is None:
        _announce(message, intake)
        return
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
    table, faults = _rows(message, intake) if known is None else (known, {})
    if not _is_new(message, n, intake):
        return
    rows = _picked(table, which, n)
    if rows.min(initial=0) < 0:
        if message.table is not None and (rows == GIVEN_UP).any():
            table, more = _revived(rows, which, _table_of(message), intake)
            rows, faults = _picked(table, which, n), faults | more
        rows = _without_refused(rows, which, faults, intake)
    if isinstance(weights, np.ndarray):
        is_odd = (weights < 0) | (weights > MAX_VIEWS)
        for offset in np.flatnonzero(is_odd & (rows != REFUSED)).tolist():
            detail = f"views: {weights[offset]} is not in 0 to {MAX_VIEWS}"
            intake.refuse(Refused(Reason.OUT_OF_RANGE, detail), offset)
        rows = np.where(is_odd, np.int32(REFUSED), rows)
    intake.add_columns(rows, ats, value, weights)


def _announce(message: _Message, intake: Intake) -> None:
    """Keep a table that comes without samples, and say at once which keys are bad."""
    if not message.keys or message.table is None:
        raise Refused(Reason.MISSING_FIELD, "value is missing")
    _, faults = _announced(_table_of(message), bytes(message.keys), intake)
    _is_new(message, 0, intake)
    for number, refused in faults.items():
        intake.refuse(refused, number)


def _rows(message: _Message, intake: Intake) -> tuple[NDArray[np.int32], Faults]:
    """Return the row of each key that a message is about, and what is wrong with some."""
    if message.table is None:
        if not message.keys:
            raise Refused(Reason.MISSING_FIELD, "keys is missing, and no table is named")
        return packed_keys.rows_of(bytes(message.keys), intake)
    source, name = _table_of(message)
    if message.keys:
        return _announced((source, name), bytes(message.keys), intake)
    table = intake.tables.find(source, name)
    if table is None:
        detail = f"table {name!r} of {source!r}: announce its keys, retained and each minute"
        raise Refused(Reason.UNKNOWN_TABLE, detail)
    return table.rows, {}


def _revived(
    rows: NDArray[np.int32],
    which: NDArray[np.uint32] | None,
    named: tuple[str, str],
    intake: Intake,
) -> tuple[NDArray[np.int32], Faults]:
    """Return a table's rows once the keys of a message have one again."""
    is_given_up = rows == GIVEN_UP
    numbers = np.flatnonzero(is_given_up) if which is None else np.unique(which[is_given_up])
    table = intake.tables.find(*named)
    if table is None:
        detail = f"table {named[1]!r} of {named[0]!r} is gone"
        raise Refused(Reason.UNKNOWN_TABLE, detail)
    return packed_keys.revive(table, named, numbers.tolist(), intake)


def _announced(
    named: tuple[str, str], keys: bytes, intake: Intake
) -> tuple[NDArray[np.int32], Faults]:
    table, faults = packed_keys.learn(*named, keys, intake)
    return table.rows, faults


def _table_of(message: _Message) -> tuple[str, str]:
    """Return whose table it is, and its name."""
    if message.source is None or message.table is None:
        raise Refused(Reason.MISSING_FIELD, "source is missing: a table is its source's")
    return message.source, message.table


def _is_new(message: _Message, samples: int, intake: Intake) -> bool:
    if message.source is None or message.seq is None:
        return True
    return intake.admit(message.source, message.seq, samples)


def _picked(
    table: NDArray[np.int32], which: NDArray[np.uint32] | None, n: int
) -> NDArray[np.int32]:
    """Return the row of each sample."""
    if which is None:
        if n > len(table):
            raise Refused(Reason.MALFORMED, f"{n} samples of {len(table)} keys")
        return table[:n]
    if n and int(which.max()) >= len(table):
        raise Refused(Reason.MALFORMED, f"key {which.max()} of {len(table)} keys")
    return table[which]


def _without_refused(
    rows: NDArray[np.int32], which: NDArray[np.uint32] | None, faults: Faults, intake: Intake
) -> NDArray[np.int32]:
    """Refuse the samples of refused keys, each for the reason of its key."""
    for offset in np.flatnonzero(rows < 0).tolist():
        key = offset if which is None else int(which[offset])
        refused = faults.get(key)
        if refused is None:
            detail = f"key {key} was refused when its table was announced"
            refused = Refused(reason_of(int(rows[offset])), detail)
        intake.refuse(refused, offset)
    return np.maximum(rows, np.int32(REFUSED))


def _column(name: str, raw: bytes, kind: type[_Number], n: int | None) -> NDArray[_Number]:
    """Return bytes as numbers of this machine; refuse another length."""
    little = np.dtype(kind).newbyteorder("<")
    if len(raw) % little.itemsize or (n is not None and len(raw) != n * little.itemsize):
        each = little.itemsize
        expected = f"a multiple of {each}" if n is None else f"{n} times {each}"
        raise Refused(Reason.MALFORMED, f"{name} has {len(raw)} bytes, not {expected}")
    return np.frombuffer(raw, little).astype(kind, copy=False)
